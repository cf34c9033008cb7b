"""Writes attributes: those that devices report, and tags that users set.

An unchanged report costs only the read of the head, which the caller has done already.
"""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from chalicelib import clock, limits
from chalicelib.auditlogs import service as auditlogs
from chalicelib.errors import PreconditionFailed
from chalicelib.fleet import head_items
from chalicelib.fleet.tables import DeviceHead
from chalicelib.integrations import service as integrations
from chalicelib.integrations.service import Event, Kind
from chalicelib.inventory.rules import attributes
from chalicelib.inventory.tables import devices
from chalicelib.storage.transactions import Transaction, retried

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.fleet.head import Head
    from chalicelib.inventory.rules.device import Device
    from chalicelib.inventory.shapes import AttributeInput
    from chalicelib.storage.keys import TenantId


def report(tenant: TenantId, head: Head, given: list[AttributeInput], *, replace: bool) -> None:
    """Store reported attributes: all of the device's (``replace``), or some that changed.

    Raises:
        BadRequest: a name or value is not allowed, or there are too many.
        Unavailable: the device's attributes changed too often meanwhile.
    """
    now = clock.now()
    seen = attributes.fingerprint("PUT" if replace else "PATCH", now.date().isoformat(), given)
    if head.inventory_hash == seen:
        return

    def write(device: Device) -> Transaction:
        before = device.scope(attributes.INVENTORY)
        scope = attributes.merged(before, given, replace=replace, most=limits.INVENTORY_ATTRIBUTES)
        after = device.attributes | {attributes.INVENTORY: scope}
        attributes.check_size(after)
        tx = Transaction()
        devices.set_attributes(tx, tenant, device, after, updated=now, check_in=now)
        # The head is written anyway, so the check-in is written with it.
        actions = [DeviceHead.inventory_hash.set(seen), DeviceHead.seen.set(now), head_items.facts_changed()]
        tx.update(DeviceHead(head.pk, head.sk), actions, DeviceHead.pk.exists(), label="head")
        if scope != before:
            _tell(tx, tenant, device.id, given)
        return tx

    _write(tenant, head.device_id, write)


def _tell(tx: Transaction, tenant: TenantId, device_id: str, given: list[AttributeInput]) -> None:
    inventory = {attribute.name: attribute.value for attribute in given}
    data = {"device_id": device_id, "tenant_id": tenant, "inventory": inventory}
    integrations.emit(tx, tenant, Event(Kind.DEVICE_INVENTORY_CHANGED, device_id, data))


def tag(
    tenant: TenantId, device_id: str, given: list[AttributeInput], *, replace: bool, versions: frozenset[str] | None
) -> None:
    """Set tags of a device; an unknown device is ignored. One of ``versions`` must still be their ETag.

    Raises:
        BadRequest: a name or value is not allowed, or there are too many.
        PreconditionFailed: the tags have another version.
        Unavailable: the device's attributes changed too often meanwhile.
    """
    time = clock.rfc3339(clock.now())

    def write(device: Device) -> Transaction:
        if versions is not None and device.tags_etag not in versions:
            raise PreconditionFailed("ETag does not match")
        before = device.scope(attributes.TAGS)
        scope = attributes.merged(before, given, replace=replace, most=limits.TAGS, timestamp=time)
        after = device.attributes | {attributes.TAGS: scope}
        attributes.check_size(after)
        tx = Transaction()
        devices.set_attributes(tx, tenant, device, after, tags_etag=str(uuid.uuid4()))
        tx.update(head_items.ref(tenant, device_id), [head_items.facts_changed()], DeviceHead.pk.exists(), label="head")
        if changes := attributes.differences(before, scope):
            _record(tx, tenant, device, f"Tags: {changes}")
        return tx

    _write(tenant, device_id, write)


def clear(tenant: TenantId, device_id: str) -> None:
    """Delete the reported attributes; an unknown device is ignored. The device's next report is written again."""
    _write(tenant, device_id, partial(_cleared, tenant))


def _cleared(tenant: TenantId, device: Device) -> Transaction:
    kept = {name: scope for name, scope in device.attributes.items() if name != attributes.INVENTORY}
    tx = Transaction()
    devices.set_attributes(tx, tenant, device, kept, updated=clock.now())
    forget = [DeviceHead.inventory_hash.remove(), head_items.facts_changed()]
    tx.update(head_items.ref(tenant, device.id), forget, DeviceHead.pk.exists(), label="head")
    if device.scope(attributes.INVENTORY):
        _record(tx, tenant, device, "Reported attributes deleted")
    return tx


def _record(tx: Transaction, tenant: TenantId, device: Device, change: str) -> None:
    identity = {name: value for name, (value, *_) in device.scope(attributes.IDENTITY).items()}
    about = {"identity_data": msgspec.json.encode(identity, order="sorted").decode()}
    what = auditlogs.Object(auditlogs.ObjectType.DEVICE, device.id, about)
    auditlogs.record(tx, tenant, auditlogs.Action.UPDATE, what, change=change)


@retried
def _write(tenant: TenantId, device_id: str, write: Callable[[Device], Transaction]) -> None:
    device = devices.find(tenant, device_id)
    # Tags of unknown devices are ignored (``docs/behaviour.md#tags``); a device without a row is being decommissioned.
    if device is not None:
        write(device).commit()

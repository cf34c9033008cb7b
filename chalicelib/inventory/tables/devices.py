"""Devices: one item each, with all attributes."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.fleet import lists
from chalicelib.inventory.rules.device import Device
from chalicelib.inventory.tables import InventoryItem, changes
from chalicelib.storage import erasing, keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, TimeAttribute
from chalicelib.storage.indexes import ListIndex
from chalicelib.storage.records import Reader
from chalicelib.tiers import Tier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pynamodb.expressions.update import Action

    from chalicelib.inventory.rules.attributes import Scope
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

_SORT = "INVENTORY"


class DeviceItem(InventoryItem):
    """A device as it is stored."""

    attributes = BlobAttribute(default=dict)
    """By scope and name: ``[value, description, timestamp]``; description and timestamp may be missing."""
    status = UnicodeAttribute()
    group = UnicodeAttribute(null=True)
    created = TimeAttribute()
    updated = TimeAttribute()
    check_in = TimeAttribute(null=True)
    tier = UnicodeAttribute(null=True)
    """None for standard, which most devices are."""
    tags_etag = UnicodeAttribute(null=True)
    version = IntegerAttribute(default=1)
    """Counts writes of ``attributes``; each is conditional on it."""
    stamp = UnicodeAttribute(null=True)
    """A new value at each write, which is also in the device's row in ``changes``."""
    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()
    by_id = ListIndex["DeviceItem"]()


class DeviceRecord(msgspec.Struct, frozen=True):
    """A :class:`DeviceItem` as it is read."""

    pk: str
    sk: str
    attributes: Any = {}  # msgspec copies it
    status: str = ""
    group: str | None = None
    created: datetime | None = None
    updated: datetime | None = None
    check_in: datetime | None = None
    tier: str | None = None
    tags_etag: str | None = None
    version: int = 1
    stamp: str | None = None
    list_pk: str = ""
    list_sk: str = ""


_reader = Reader(DeviceRecord)


def _device(item: DeviceRecord) -> Device:
    if item.created is None or item.updated is None:
        raise ValueError("a device without its times was stored")
    return Device(
        id=keys.last_part(item.pk),
        attributes=item.attributes,
        status=item.status,
        group=item.group,
        created=item.created,
        updated=item.updated,
        check_in=item.check_in,
        tags_etag=item.tags_etag,
        version=item.version,
        stamp=item.stamp,
        tier=item.tier or Tier.STANDARD,
    )


def _key(tenant: TenantId, device_id: str) -> tuple[str, str]:
    return keys.partition(tenant, "D", device_id), _SORT


def _ref(tenant: TenantId, device_id: str) -> DeviceItem:
    return DeviceItem(*_key(tenant, device_id))


def find(tenant: TenantId, device_id: str) -> Device | None:
    """The device, as it is now."""
    item = _reader.find(keys.table("inventory"), *_key(tenant, device_id))
    return _device(item) if item is not None else None


def find_many(tenant: TenantId, device_ids: Iterable[str]) -> list[Device]:
    """The devices that exist, in no order; 100 per round trip."""
    wanted = [_key(tenant, device_id) for device_id in dict.fromkeys(device_ids)]
    return [_device(item) for item in _reader.find_many(keys.table("inventory"), wanted)]


def listed(tenant: TenantId, start: int, stop: int) -> list[Device]:
    """Rows ``start`` to ``stop`` of the tenant's devices by id. Rows before ``start`` are read and skipped."""
    rows = lists.page(tenant, partial(_reader.query, keys.table("inventory"), index="list", limit=stop))
    return [_device(item) for item in islice(rows, start, stop)]


def create(tx: Transaction, tenant: TenantId, device: Device) -> None:
    """Add a new device to its transaction."""
    item = _ref(tenant, device.id)
    item.attributes = device.attributes
    item.status = device.status
    if device.tier != Tier.STANDARD:
        item.tier = device.tier
    item.created, item.updated = device.created, device.updated
    item.list_pk, item.list_sk = lists.partition(tenant, device.id), keys.sort(device.id)
    item.stamp = changes.note(tx, tenant, device.id)
    tx.put(item, label="inventory")


def delete(tx: Transaction, tenant: TenantId, device_id: str) -> None:
    """Delete a device, or what is left of it."""
    changes.note(tx, tenant, device_id, gone=True)
    tx.delete(_ref(tenant, device_id), label="inventory")


def set_standing(
    tx: Transaction, tenant: TenantId, device_id: str, status: str, tier: str, check_in: datetime | None
) -> None:
    """Store a device's status, tier and, unless None, its last check-in."""
    of_tier = DeviceItem.tier.remove() if tier == Tier.STANDARD else DeviceItem.tier.set(tier)
    actions: list[Action] = [DeviceItem.status.set(status), of_tier]
    if check_in is not None:
        actions.append(DeviceItem.check_in.set(check_in))
    _update(tx, tenant, device_id, actions)


def set_check_in(tx: Transaction, tenant: TenantId, device_id: str, time: datetime) -> None:
    """Store a device's check-in."""
    _update(tx, tenant, device_id, [DeviceItem.check_in.set(time)])


def set_group(tx: Transaction, tenant: TenantId, device_id: str, group: str | None) -> None:
    """Store a device's group."""
    action = DeviceItem.group.set(group) if group is not None else DeviceItem.group.remove()
    _update(tx, tenant, device_id, [action])


def set_attributes(
    tx: Transaction,
    tenant: TenantId,
    device: Device,
    attributes: dict[str, Scope],
    *,
    updated: datetime | None = None,
    check_in: datetime | None = None,
    tags_etag: str | None = None,
) -> None:
    """Replace a device's attributes; fails with label ``inventory`` if they are no longer ``device``'s."""
    actions: list[Action] = [
        DeviceItem.attributes.set(attributes),
        DeviceItem.version.set(device.version + 1),
    ]
    if updated is not None:
        actions.append(DeviceItem.updated.set(updated))
    if check_in is not None:
        actions.append(DeviceItem.check_in.set(check_in))
    if tags_etag is not None:
        actions.append(DeviceItem.tags_etag.set(tags_etag))
    _update(tx, tenant, device.id, actions, DeviceItem.version == device.version)


def _update(tx: Transaction, tenant: TenantId, device_id: str, actions: list[Action], condition: Any = None) -> None:
    # Without the condition, an update of a device that was just deleted would recreate a part of it.
    exists = DeviceItem.pk.exists()
    if lists.is_divided(tenant):
        # A device from before the tenant became large moves into its part.
        actions.append(DeviceItem.list_pk.set(lists.partition(tenant, device_id)))
    actions.append(DeviceItem.stamp.set(changes.note(tx, tenant, device_id)))
    tx.update(
        _ref(tenant, device_id),
        actions,
        exists if condition is None else exists & condition,
        label="inventory",
    )


def erase(tenant: TenantId) -> int:
    """Erase the devices of a removed tenant; returns the number of items."""
    found = lists.every(tenant, DeviceItem.by_id, ["pk", "sk"])
    return erasing.rows(DeviceItem, ((item.pk, item.sk) for item in found))

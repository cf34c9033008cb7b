"""Stores a change of a device in one transaction over everything that depends on it.

These are the device, the links to its auth sets, its head, the counts, roster and group (``fleet.membership``) and the
inventory. Callers read, decide, and call :func:`save`; if another change came first, they read and decide again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.auditlogs import service as auditlogs
from chalicelib.devauth.rules.device import Device, count_changes
from chalicelib.devauth.rules.sets import Status
from chalicelib.devauth.service import events
from chalicelib.devauth.tables import devices as table
from chalicelib.errors import Unprocessable
from chalicelib.fleet import control, counts, head_items, heads, membership
from chalicelib.fleet.tables import DeviceHead
from chalicelib.inventory import service as inventory
from chalicelib.storage.transactions import ConditionFailed, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chalicelib.storage.keys import TenantId
    from chalicelib.tiers import Place, Tier


class Note(msgspec.Struct, frozen=True):
    """A change of a device for the audit log."""

    action: auditlogs.Action
    change: str


class LimitReachedError(Unprocessable):
    """The tenant has reached its limit of accepted devices."""

    def __init__(self) -> None:
        super().__init__("maximum number of accepted devices reached")


def save(
    tenant: TenantId,
    before: Device,
    after: Device | None,
    note: Note | None = None,
    also: Callable[[Transaction], None] | None = None,
) -> None:
    """Store the change from ``before`` to ``after`` (None: the device is deleted).

    Args:
        tenant: the device's tenant.
        before: as it was read.
        after: as it is to be stored.
        note: the change for the audit log, if it is one of a user or of an acceptance rule; None for others.
        also: adds further writes to the transaction.

    Raises:
        LimitReachedError: the device would become accepted, and the tenant's limit is reached.
        ConditionFailed: the device or its group has changed since it was read. Nothing was written.
    """
    tx = Transaction()
    if after is not None:
        table.put(tx, tenant, after)
    else:
        table.delete(tx, tenant, before)
    table.link_sets(tx, tenant, before, after)
    if after is None or _as_heads_see(before) != _as_heads_see(after):
        _change_head(tx, tenant, before, after)
    _count(tx, tenant, before.id, count_changes(before, after))
    if after is None:
        if before.test_device:
            table.count_test_device(tx, tenant, -1, 0)
        inventory.device_gone(tx, tenant, before.id)
    elif _as_inventory_sees(before) != _as_inventory_sees(after):
        inventory.standing_changed(tx, tenant, before.id, *_as_inventory_sees(after))
    _record(tx, tenant, before, note)
    events.emit(tx, tenant, before, after)
    if also is not None:
        also(tx)
    _commit(tx)


def _record(tx: Transaction, tenant: TenantId, device: Device, note: Note | None) -> None:
    if note is not None:
        about = auditlogs.Object(auditlogs.ObjectType.DEVICE, device.id, {"identity_data": device.identity})
        auditlogs.record(tx, tenant, note.action, about, change=note.change)


def create(tenant: TenantId, device: Device, now: datetime, note: Note | None = None) -> None:
    """Store a new device; ``note`` as for :func:`save`.

    Raises:
        ConditionFailed: the device exists already. Nothing was written.
    """
    tx = Transaction()
    table.put(tx, tenant, device)
    table.link_sets(tx, tenant, None, device)
    head = head_items.ref(tenant, device.id)
    head.auth_status = device.standing.status
    head.auth_set = device.standing.accepted
    head.auth_generation = device.standing.generation
    head.identity_hash = device.identity_hash
    tx.put(head, DeviceHead.pk.does_not_exist(), label="head")
    _count(tx, tenant, device.id, count_changes(None, device))
    inventory.device_created(tx, tenant, device.id, device.identity, device.standing.status, now, device.standing.tier)
    _record(tx, tenant, device, note)
    events.emit_new(tx, tenant, device)
    _commit(tx)


def _count(tx: Transaction, tenant: TenantId, device_id: str, changes: dict[Place, int]) -> None:
    accepting = any(status is Status.ACCEPTED and by > 0 for (status, _), by in changes.items())
    # Read again, because a limit that was lowered a moment ago must hold; acceptances are rare.
    counts.change(tx, tenant, device_id, changes, control.get(tenant, fresh=accepting))


def _commit(tx: Transaction) -> None:
    try:
        tx.commit()
    except ConditionFailed as error:
        # Checked first: the change that reached the limit may have been of this very device.
        if error.failed.keys() == {"limit"}:
            raise LimitReachedError from error
        raise


def _change_head(tx: Transaction, tenant: TenantId, before: Device, after: Device | None) -> None:
    # Only the head knows the group; the condition makes sure that it stays the same until the commit.
    now = heads.find(tenant, before.id)
    if now is None:
        raise ConditionFailed
    group: str | None = now.group
    same = DeviceHead.pk.exists() & (DeviceHead.group.does_not_exist() if group is None else DeviceHead.group == group)
    head = head_items.ref(tenant, before.id)
    if after is None:
        tx.delete(head, same, label="head")
    else:
        accepted = after.standing.accepted
        actions: list[Any] = [
            DeviceHead.auth_status.set(after.standing.status),
            DeviceHead.auth_set.set(accepted) if accepted else DeviceHead.auth_set.remove(),
            DeviceHead.auth_generation.set(after.standing.generation),
            head_items.facts_changed(),  # status and tier are attributes that filters know
        ]
        if after.decommissioning:
            actions.append(DeviceHead.decommissioning.set(True))
        if after.check_in is not None and after.check_in != before.check_in:
            actions.append(DeviceHead.seen.set(after.check_in))
        tx.update(head, actions, same, label="head")
    membership.status_changed(
        tx,
        tenant,
        before.id,
        group=group,
        before=before.standing.status,
        after=_as_fleets_count(after) if after else None,
    )


def _as_fleets_count(device: Device) -> Status:
    # A device that is being decommissioned is no longer a target: a deployment created before the worker is done would
    # wait for it.
    return Status.NOAUTH if device.decommissioning else device.standing.status


def _as_inventory_sees(device: Device) -> tuple[Status, Tier, datetime | None]:
    return device.standing.status, device.standing.tier, device.check_in


def _as_heads_see(device: Device) -> tuple[object, ...]:
    standing = device.standing
    return standing.status, standing.accepted, standing.generation, device.decommissioning, device.check_in

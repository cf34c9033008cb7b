"""Static groups. A device is in at most one, and a group exists while a device is in it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from chalicelib import limits
from chalicelib.auditlogs import service as auditlogs
from chalicelib.errors import BadRequest, NotFound
from chalicelib.fleet import heads as fleet_heads
from chalicelib.fleet import membership
from chalicelib.inventory.rules import groups
from chalicelib.inventory.shapes import Moved
from chalicelib.inventory.tables import devices
from chalicelib.storage.transactions import Transaction, retried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chalicelib.fleet.head import Head
    from chalicelib.storage.keys import TenantId

_BATCH = 13
"""Devices in one transaction. Each may take seven of its 100 writes: head, old and new member row, inventory and its
row of changes, the size of the old group, and an audit entry of its own, so that the device's id finds it."""


Reach = frozenset[str] | None
"""The groups within the caller's scope; None: all groups, and devices without a group."""


def names(tenant: TenantId, status: str | None = None, reach: Reach = None) -> list[str]:
    """The groups that have a device (with that status), sorted."""
    found = [name for name in membership.group_names(tenant) if _is_reached(name, reach)]
    if not status:
        return found
    return [name for name in found if any(True for _ in membership.group_members(tenant, name, status=status))]


def members(tenant: TenantId, group: str, start: int, stop: int, reach: Reach = None) -> tuple[list[str], int]:
    """Rows ``start`` to ``stop`` of a group's device ids, and the size of the group.

    Raises:
        NotFound: no device within the caller's scope is in that group.
    """
    groups.check_name(group)
    total = membership.group_size(tenant, group) if _is_reached(group, reach) else 0
    if not total:
        raise NotFound("group not found")
    return list(islice(membership.group_members(tenant, group, limit=stop), start, stop)), total


def put(tenant: TenantId, device_id: str, group: str | None, reach: Reach = None) -> None:
    """Move a device into a group, out of its present one.

    The device must be within the caller's scope; the new group need not be. A device that leaves the scope is then out
    of reach.

    Raises:
        BadRequest: the group name is not valid.
        NotFound: there is no such device.
    """
    if not _move(tenant, [device_id], groups.check_name(group), _any_in(reach)).matched_count:
        raise NotFound("Device not found")


def leave(tenant: TenantId, device_id: str, group: str) -> None:
    """Take a device out of a group.

    Raises:
        NotFound: there is no such device, or it is in another group or none.
    """
    if not take_out(tenant, group, [device_id]).matched_count:
        raise NotFound("Device not found")


def put_many(tenant: TenantId, group: str, device_ids: list[str], reach: Reach = None) -> Moved:
    """Move devices into a group. Unknown devices, and those outside the caller's scope, are skipped.

    Raises:
        BadRequest: there is no id, there are too many, or the group name is not valid.
    """
    return _move(tenant, _some(device_ids), groups.check_name(group), _any_in(reach))


def take_out(tenant: TenantId, group: str, device_ids: list[str], reach: Reach = None) -> Moved:
    """Take devices out of a group. Those in other groups, or outside the caller's scope, are skipped.

    Raises:
        BadRequest: there is no id, there are too many, or the group name is not valid.
    """
    groups.check_name(group)
    return _move(tenant, _some(device_ids), None, _all_of(group, reach))


def dissolve(tenant: TenantId, group: str, reach: Reach = None) -> Moved:
    """Take all devices out of a group within the caller's scope. After an interruption it can be called again.

    Raises:
        BadRequest: the group name is not valid.
    """
    groups.check_name(group)
    everyone = membership.group_members(tenant, group)
    return _move(tenant, everyone, None, _all_of(group, reach))


def _is_reached(group: str | None, reach: Reach) -> bool:
    return reach is None or group in reach


def _any_in(reach: Reach) -> Callable[[Head], bool]:
    return lambda head: _is_reached(head.group, reach)


def _all_of(group: str, reach: Reach) -> Callable[[Head], bool]:
    return lambda head: head.group == group and _is_reached(group, reach)


def _some(device_ids: list[str]) -> list[str]:
    if not device_ids:
        raise BadRequest("no device IDs present in payload")
    if len(device_ids) > limits.GROUP_DEVICES:
        raise BadRequest(f"too many device IDs (max: {limits.GROUP_DEVICES}); send fewer at a time")
    return device_ids


def _move(tenant: TenantId, device_ids: Iterable[str], group: str | None, concerns: Callable[[Head], bool]) -> Moved:
    moved = Moved()
    rest = iter(dict.fromkeys(device_ids))
    while batch := list(islice(rest, _BATCH)):
        matched, updated = _move_batch(tenant, batch, group, concerns)
        moved.matched_count += matched
        moved.updated_count += updated
    return moved


@retried
def _move_batch(
    tenant: TenantId, device_ids: list[str], group: str | None, concerns: Callable[[Head], bool]
) -> tuple[int, int]:
    found = fleet_heads.find_many(tenant, device_ids)
    heads = [head for head in found.values() if concerns(head)]
    moving = [head for head in heads if head.group != group]
    tx = Transaction()
    for head in moving:
        membership.move(tx, tenant, head, group)
        devices.set_group(tx, tenant, head.device_id, group)
        _record(tx, tenant, head, group)
    membership.count_moves(tx, tenant, moving, group)
    tx.commit()
    return len(heads), len(moving)


def _record(tx: Transaction, tenant: TenantId, head: Head, group: str | None) -> None:
    device = auditlogs.Object(auditlogs.ObjectType.DEVICE, head.device_id)
    change = f"Group: {head.group or '(none)'} -> {group or '(none)'}"
    auditlogs.record(tx, tenant, auditlogs.Action.UPDATE, device, change=change)

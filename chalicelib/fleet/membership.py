"""The roster of accepted devices, and the static groups.

They let a deployment fix its targets by reading ids only. They change with the head, in the same transaction, so they
are never out of date.
"""

from __future__ import annotations

import hashlib
import heapq
from functools import partial
from typing import TYPE_CHECKING

from chalicelib.fleet.head import ACCEPTED, Head
from chalicelib.fleet.head_items import facts_changed
from chalicelib.fleet.tables import DeviceHead, GroupItem, GroupMemberItem, RosterItem
from chalicelib.observability import Metric, count
from chalicelib.storage import erasing, keys
from chalicelib.storage.settled import settled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

_SHARDS = 16
"""Partitions of the roster. DynamoDB takes 1,000 writes a second per partition, which a fleet's first hour may exceed.
"""


def shard(device_id: str) -> int:
    """The partition of the roster for a device. Stored data: it must not change."""
    return hashlib.sha256(device_id.encode()).digest()[0] % _SHARDS


def _roster_item(tenant: TenantId, device_id: str) -> RosterItem:
    return RosterItem(keys.partition(tenant, "R", f"{shard(device_id):x}"), keys.sort(device_id))


def _member(tenant: TenantId, group: str, device_id: str) -> GroupMemberItem:
    return GroupMemberItem(keys.partition(tenant, "G", group), keys.sort(device_id))


def status_changed(
    tx: Transaction,
    tenant: TenantId,
    device_id: str,
    *,
    group: str | None,
    before: str | None,
    after: str | None,
) -> None:
    """Add the changes of roster and group that follow from a change of status to its transaction.

    ``before`` is None for a new device; ``after`` is None for a deleted one, which leaves its group.
    """
    was, is_now = before == ACCEPTED, after == ACCEPTED
    if is_now and not was:
        tx.put(_roster_item(tenant, device_id), label="roster")
        tx.then(partial(count, Metric.DEVICES_ACCEPTED))
    elif was and not is_now:
        tx.delete(_roster_item(tenant, device_id), label="roster")
    if group is None:
        return
    member = _member(tenant, group, device_id)
    if after is None:
        tx.delete(member, label="member")
        _count(tx, tenant, group, -1)
    elif after != before:
        tx.update(member, [GroupMemberItem.status.set(after)], label="member")


def move(tx: Transaction, tenant: TenantId, head: Head, group: str | None) -> None:
    """Move a device from the group in its head into ``group``, or into none.

    The transaction fails with label ``head`` if the device was moved, deleted or changed its status meanwhile.
    :func:`count_moves` adds the changed sizes of groups, because a transaction may move several devices.
    """
    old, device_id = head.group, head.device_id
    same_group = DeviceHead.group.does_not_exist() if old is None else DeviceHead.group == old
    # The condition includes the status, because the member row contains it and would never be corrected later.
    condition = same_group & (DeviceHead.auth_status == head.auth_status)
    action = DeviceHead.group.remove() if group is None else DeviceHead.group.set(group)
    tx.update(DeviceHead(head.pk, head.sk), [action, facts_changed()], condition, label="head")
    if old is not None and old != group:
        tx.delete(_member(tenant, old, device_id), label="member")
    if group is not None:
        member = _member(tenant, group, device_id)
        member.status = head.auth_status
        tx.put(member, label="member")


def count_moves(tx: Transaction, tenant: TenantId, heads: list[Head], group: str | None) -> None:
    """Add the changed sizes of groups for the devices that a transaction moves into ``group``."""
    changes: dict[str, int] = {}
    for head in heads:
        if head.group == group:
            continue
        if head.group is not None:
            changes[head.group] = changes.get(head.group, 0) - 1
        if group is not None:
            changes[group] = changes.get(group, 0) + 1
    for name, change in changes.items():
        _count(tx, tenant, name, change)


def _count(tx: Transaction, tenant: TenantId, group: str, change: int) -> None:
    tx.update(
        GroupItem(keys.partition(tenant, "GROUPS"), keys.sort(group)),
        [GroupItem.members.add(change)],
        label="group",
    )


def group_names(tenant: TenantId) -> list[str]:
    """The groups that have a device, sorted."""
    rows = GroupItem.query(keys.partition(tenant, "GROUPS"), filter_condition=GroupItem.members > 0)
    return sorted(keys.last_part(row.sk) for row in rows)


def group_size(tenant: TenantId, group: str) -> int:
    """How many devices a group has."""
    row = GroupItem.find(keys.partition(tenant, "GROUPS"), keys.sort(group))
    if row is None:
        return 0
    return max(0, row.members)


def group_members(
    tenant: TenantId, group: str, *, status: str | None = None, limit: int | None = None
) -> Iterator[str]:
    """Ids of a group's devices, sorted; all of them, or those with a status."""
    rows = GroupMemberItem.query(
        keys.partition(tenant, "G", group),
        filter_condition=GroupMemberItem.status == status if status else None,
        consistent_read=True,
        limit=limit,
    )
    return (keys.last_part(row.sk) for row in rows)


def statuses_of_members(tenant: TenantId, groups: Iterable[str]) -> dict[str, str]:
    """The status of every device of some groups, by id; a megabyte of rows per round trip.

    Several groups are read again if a device moved between them meanwhile.
    """
    wanted = sorted(set(groups))

    def read() -> dict[str, str]:
        partitions = (keys.partition(tenant, "G", group) for group in wanted)
        rows = (row for pk in partitions for row in GroupMemberItem.query(pk, consistent_read=True))
        return {keys.last_part(row.sk): row.status for row in rows}

    return read() if len(wanted) <= 1 else settled(read, frozenset)


def accepted_devices(tenant: TenantId, *, at_once: int | None = None) -> Iterator[str]:
    """Ids of all accepted devices, sorted. ``at_once``: rows of each partition in memory; None: a megabyte."""
    partitions = (keys.partition(tenant, "R", f"{part:x}") for part in range(_SHARDS))
    rows = (RosterItem.query(partition, consistent_read=True, page_size=at_once) for partition in partitions)
    return heapq.merge(*((keys.last_part(row.sk) for row in found) for found in rows))


def erase(tenant: TenantId) -> int:
    """Erase roster and groups of a removed tenant; returns the number of items."""
    count = sum(erasing.partition(RosterItem, keys.partition(tenant, "R", f"{part:x}")) for part in range(_SHARDS))
    groups = keys.partition(tenant, "GROUPS")
    for row in GroupItem.query(groups, consistent_read=True):
        count += erasing.partition(GroupMemberItem, keys.partition(tenant, "G", keys.last_part(row.sk)))
        count += erasing.rows(GroupItem, [(groups, row.sk)])
    return count

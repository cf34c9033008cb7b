"""Devices that have changed since the tenant's snapshot: one row per device, however often it changes.

A row is written in the transaction that changes the device, with a stamp that is also stored in the device. Strongly
consistent reads of the rows name every device whose change has been answered, by whichever process. A read can see the
items of a transaction one by one, so a device is known to be as new as its row only if both have the same stamp; until
then the row stays.
"""

from __future__ import annotations

import uuid
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace
from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib import clock
from chalicelib.fleet import control, membership, parts
from chalicelib.inventory.tables import InventoryItem, snapshots
from chalicelib.inventory.tables.snapshots import Pointer
from chalicelib.storage import erasing, keys
from chalicelib.storage.parallel import in_parallel
from chalicelib.storage.records import Reader
from chalicelib.storage.transactions import MAX_ITEMS, ConditionFailed, Transaction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.storage.keys import TenantId

_SHARDS = 4
"""Partitions of a tenant's rows. DynamoDB takes 1,000 writes a second per partition, and a row in a transaction is two.
"""
_OF_A_PART = 2
"""Partitions for each part of a large tenant: when all devices return after an outage, each writes a row."""
_EVERY = 256
"""Number of changes by one process after which it asks for a check whether a new snapshot is due."""
_SETTLED_AT_ONCE = MAX_ITEMS // 2
"""There may be two rows for a change."""
_TENANTS = 10_000
_noted: Counter[str] = Counter()


class Change(msgspec.Struct, frozen=True):
    """A device that has changed or was deleted."""

    device_id: str
    stamp: str
    gone: bool
    partition: str
    """The partition key of the row."""
    older: Change | None = None
    """An earlier row of the same device, from before the tenant became large."""


class ChangeItem(InventoryItem):
    """A device that changed."""

    stamp = UnicodeAttribute()
    gone = BooleanAttribute(null=True)


class Row(msgspec.Struct, frozen=True):
    """A :class:`ChangeItem`, or the ``snapshots.CopyItem`` behind them, as it is read."""

    pk: str
    sk: str
    stamp: str = ""
    gone: bool = False
    object: Any = None
    size: int = 0
    devices: int = 0


_reader = Reader(Row)


def _partition(tenant: TenantId, device_id: str) -> str:
    known = control.get(tenant)
    count = known.parts_to_write
    if count > 1:
        return _divided(tenant, parts.part_of(device_id, _OF_A_PART * count))
    if known.changes_from is not None and clock.now() >= known.changes_from:
        return snapshots.first_partition(tenant)
    return keys.partition(tenant, "CHANGED", f"{membership.shard(device_id) % _SHARDS:x}")


def _divided(tenant: TenantId, part: int) -> str:
    return keys.partition(tenant, "CHANGED", parts.text(part))


def _partitions(tenant: TenantId, count: int) -> list[str]:
    """All partitions of a tenant with ``count`` parts, those with older rows of a device first.

    Rows stay in the first ones after a tenant has become large, and in all but ``first_partition`` after its rows are
    stored in one.
    """
    whole = [keys.partition(tenant, "CHANGED", f"{shard:x}") for shard in reversed(range(_SHARDS))]
    return whole + ([_divided(tenant, part) for part in range(_OF_A_PART * count)] if count > 1 else [])


def note(tx: Transaction, tenant: TenantId, device_id: str, *, gone: bool = False) -> str:
    """Add the row of a change to its transaction; returns the stamp to store in the device."""
    item = ChangeItem(_partition(tenant, device_id), keys.sort(device_id))
    item.stamp, item.gone = uuid.uuid4().hex, gone or None
    tx.put(item, label="change")
    if len(_noted) >= _TENANTS:
        _noted.clear()
    _noted[tenant] += 1
    if _noted[tenant] % _EVERY == 0:
        snapshots.ask(tx, tenant)
    return item.stamp


def read(tenant: TenantId) -> list[Change]:
    """All devices that have changed (strongly consistent).

    It takes 4 round trips, or 17 of up to 16 queries at a time in a large tenant, and more if there are more than 8,000
    rows in a partition.
    """
    count = control.get(tenant).parts
    if count == 1:
        return _newest(chain.from_iterable(map(_rows, _partitions(tenant, 1))))
    return _newest(chain.from_iterable(in_parallel(_rows, _partitions(tenant, count))))


def read_for_search(tenant: TenantId) -> tuple[list[Change], Pointer]:
    """As :func:`read`, and the pointer to the snapshot, which is read after the changes.

    It takes one round trip if there is a copy of the pointer (``tables.snapshots``), two in a tenant that never used
    other partitions, and otherwise one more than :func:`read`.
    """
    known = control.get(tenant)
    if known.parts > 1:
        return read(tenant), snapshots.find(tenant)
    items = _query(snapshots.first_partition(tenant))
    if items and items[-1].sk == snapshots.BESIDE:
        return [_change(item) for item in items[:-1]], _copied(items[-1])
    older = () if known.changes_from == control.ALWAYS else _partitions(tenant, 1)[:-1]
    return _newest([*chain.from_iterable(map(_rows, older)), *map(_change, items)]), snapshots.find(tenant)


def are_gathered(changes: Iterable[Change], tenant: TenantId) -> bool:
    """Whether none of these is in a partition that is no longer read if there is a copy of the pointer."""
    *others, _ = _partitions(tenant, 1)
    return all(
        each.partition not in others and (each.older is None or each.older.partition not in others) for each in changes
    )


def _newest(rows: Iterable[Change]) -> list[Change]:
    """One change for each device, of rows that are in the order of :func:`_partitions`."""
    found: dict[str, Change] = {}
    for row in rows:
        older = found.get(row.device_id)
        found[row.device_id] = row if older is None else replace(row, older=older)
    return list(found.values())


def _rows(pk: str) -> list[Change]:
    return [_change(row) for row in _query(pk) if row.sk != snapshots.BESIDE]


def _query(pk: str) -> list[Row]:
    return list(_reader.query(keys.table("inventory"), pk))


def _change(row: Row) -> Change:
    return Change(keys.last_part(row.sk), row.stamp, row.gone, row.pk)


def _copied(row: Row) -> Pointer:
    key, version = row.object
    return Pointer((key, version), row.size, row.devices, beside=True)


def settle(changes: Iterable[Change]) -> None:
    """Remove rows, except those of devices that have changed again."""
    rest = list(changes)
    while rest:
        batch, rest = rest[:_SETTLED_AT_ONCE], rest[_SETTLED_AT_ONCE:]
        tx = Transaction()
        for change in batch:
            for each in (change, change.older):
                if each is not None:
                    item = ChangeItem(each.partition, keys.sort(each.device_id))
                    tx.delete(item, ChangeItem.stamp == each.stamp, label=each.device_id)
        try:
            tx.commit()
        except ConditionFailed as error:
            rest = [change for change in batch if change.device_id not in error.failed] + rest


def erase(tenant: TenantId) -> int:
    """Erase the rows of a removed tenant; returns their number."""
    count = control.get(tenant, fresh=True).parts
    return sum(erasing.partition(ChangeItem, each) for each in _partitions(tenant, count))

"""Devices that have changed since the tenant's snapshot: one row per device, however often it changes.

A row is written in the transaction that changes the device, with a stamp that is also stored in the device. Strongly
consistent reads of the rows name every device whose change has been answered, by whichever process. A read can see the
items of a transaction one by one, so a device is known to be as new as its row only if both have the same stamp; until
then the row stays.
"""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib.fleet import membership
from chalicelib.inventory.tables import InventoryItem, snapshots
from chalicelib.storage import erasing, keys
from chalicelib.storage.transactions import MAX_ITEMS, ConditionFailed, Transaction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.storage.keys import TenantId

_SHARDS = 4
"""Partitions of a tenant's rows. DynamoDB takes 1,000 writes a second per partition, and a row in a transaction is two.
"""
_EVERY = 256
"""Number of changes by one process after which it asks for a check whether a new snapshot is due."""
_TENANTS = 10_000
_noted: Counter[str] = Counter()


class Change(msgspec.Struct, frozen=True):
    """A device that has changed or was deleted."""

    device_id: str
    stamp: str
    gone: bool


class ChangeItem(InventoryItem):
    """A device that changed."""

    stamp = UnicodeAttribute()
    gone = BooleanAttribute(null=True)


def _partition(tenant: TenantId, shard: int) -> str:
    return keys.partition(tenant, "CHANGED", f"{shard:x}")


def _ref(tenant: TenantId, device_id: str) -> ChangeItem:
    return ChangeItem(_partition(tenant, membership.shard(device_id) % _SHARDS), keys.sort(device_id))


def note(tx: Transaction, tenant: TenantId, device_id: str, *, gone: bool = False) -> str:
    """Add the row of a change to its transaction; returns the stamp to store in the device."""
    item = _ref(tenant, device_id)
    item.stamp, item.gone = uuid.uuid4().hex, gone or None
    tx.put(item, label="change")
    if len(_noted) >= _TENANTS:
        _noted.clear()
    _noted[tenant] += 1
    if _noted[tenant] % _EVERY == 0:
        snapshots.ask(tx, tenant)
    return item.stamp


def read(tenant: TenantId) -> list[Change]:
    """All devices that have changed (strongly consistent); about 8,000 per round trip."""
    return [
        Change(keys.last_part(item.sk), item.stamp, bool(item.gone))
        for shard in range(_SHARDS)
        for item in ChangeItem.query(_partition(tenant, shard), consistent_read=True)
    ]


def settle(tenant: TenantId, changes: Iterable[Change]) -> None:
    """Remove rows, except those of devices that have changed again."""
    rest = list(changes)
    while rest:
        batch, rest = rest[:MAX_ITEMS], rest[MAX_ITEMS:]
        tx = Transaction()
        for change in batch:
            tx.delete(_ref(tenant, change.device_id), ChangeItem.stamp == change.stamp, label=change.device_id)
        try:
            tx.commit()
        except ConditionFailed as error:
            rest = [change for change in batch if change.device_id not in error.failed] + rest


def erase(tenant: TenantId) -> int:
    """Erase the rows of a removed tenant; returns their number."""
    return sum(erasing.partition(ChangeItem, _partition(tenant, shard)) for shard in range(_SHARDS))

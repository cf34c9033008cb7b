"""Which object is a tenant's snapshot, who builds the next one, and which tenants wait for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.inventory.tables import InventoryItem
from chalicelib.storage import keys
from chalicelib.storage.base import BlobAttribute, TimeAttribute
from chalicelib.storage.indexes import ListIndex
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from chalicelib.storage.transactions import Condition

_SORT = "SNAPSHOT"
_DUE_SORT = "SNAPSHOT-DUE"
_DUE = keys.shared("SNAPSHOTS")

ObjectVersion = tuple[str, str | None]
"""Key and version of an object."""


class Pointer(msgspec.Struct, frozen=True):
    """A tenant's snapshot: where it is, the size of its directory, how many devices it has.

    ``building`` is the object that a builder writes, ``garbage`` are objects that nothing points to any more.
    """

    object: ObjectVersion | None = None
    size: int = 0
    devices: int = 0
    building: str | None = None
    garbage: tuple[ObjectVersion, ...] = ()


class SnapshotItem(InventoryItem):
    """A tenant's snapshot."""

    object = BlobAttribute(null=True)
    size = NumberAttribute(default=0)
    devices = NumberAttribute(default=0)
    building = UnicodeAttribute(null=True)
    until = TimeAttribute(null=True)
    garbage = BlobAttribute(null=True)


class DueItem(InventoryItem):
    """A tenant whose snapshot someone must look at."""

    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()
    by_tenant = ListIndex["DueItem"]()


def _ref(tenant: TenantId) -> SnapshotItem:
    return SnapshotItem(keys.partition(tenant), _SORT)


def find(tenant: TenantId) -> Pointer:
    """The snapshot as it is now."""
    item = _ref(tenant).fetch()
    if item is None:
        return Pointer()
    return Pointer(
        object=tuple(item.object) if item.object else None,
        size=int(item.size),
        devices=int(item.devices),
        building=item.building,
        garbage=tuple((key, version) for key, version in item.garbage or ()),
    )


def lease(tenant: TenantId, before: Pointer, key: str, now: datetime, until: datetime) -> bool:
    """Become the one who builds the next snapshot, as object ``key``; False if there is another until its time ends."""
    if before.building is None:
        free: Condition = SnapshotItem.building.does_not_exist()
    else:
        free = (SnapshotItem.building == before.building) & (SnapshotItem.until < now)
    tx = Transaction()
    # What an earlier builder left behind when it died is garbage from now on.
    left = [(before.building, None)] if before.building is not None else []
    actions = [
        SnapshotItem.building.set(key),
        SnapshotItem.until.set(until),
        SnapshotItem.garbage.set([*before.garbage, *left]),
    ]
    tx.update(_ref(tenant), actions, free, label="lease")
    return tx.try_commit()


def publish(tenant: TenantId, before: Pointer, after: Pointer, key: str) -> bool:
    """Make ``after`` the snapshot; False if the lease of ``key`` is over, which another has or had since."""
    tx = Transaction()
    actions = [
        SnapshotItem.object.set(after.object),
        SnapshotItem.size.set(after.size),
        SnapshotItem.devices.set(after.devices),
        SnapshotItem.garbage.set([before.object] if before.object else []),
        SnapshotItem.building.remove(),
        SnapshotItem.until.remove(),
    ]
    tx.update(_ref(tenant), actions, SnapshotItem.building == key, label="lease")
    return tx.try_commit()


def ask(tx: Transaction, tenant: TenantId) -> None:
    """Let someone look at whether the tenant needs a new snapshot."""
    item = DueItem(keys.partition(tenant), _DUE_SORT)
    item.list_pk, item.list_sk = _DUE, tenant
    tx.put(item, label="due")


def looked(tenant: TenantId) -> None:
    """Note that someone looks."""
    tx = Transaction()
    tx.delete(DueItem(keys.partition(tenant), _DUE_SORT))
    tx.commit()


def due() -> Iterator[TenantId]:
    """The tenants that wait for someone to look."""
    for item in DueItem.by_tenant.query(_DUE):
        yield TenantId(item.list_sk)

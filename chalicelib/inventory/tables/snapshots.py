"""The pointer to a tenant's snapshot, the lease for building the next one, and the tenants that wait for one.

A small tenant has a copy of the pointer behind the rows of its changed devices, so that a search reads both with one
query. The query reads items in their order, so it reads the pointer after the rows, as it has to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.inventory.tables import InventoryItem
from chalicelib.storage import keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, TimeAttribute
from chalicelib.storage.indexes import ListIndex
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pynamodb.expressions.condition import Condition

_SORT = "SNAPSHOT"
BESIDE = "~SNAPSHOT"
"""The sort key of the copy, which is after that of any row."""
_DUE_SORT = "SNAPSHOT-DUE"
_DUE = keys.shared("SNAPSHOTS")

ObjectVersion = tuple[str, str | None]
"""Key and version of an object."""


class Pointer(msgspec.Struct, frozen=True):
    """A tenant's snapshot: its object, the size of its directory, and the number of devices.

    ``building`` is the object that a builder is writing; ``garbage`` are objects to which nothing points any more.
    """

    object: ObjectVersion | None = None
    size: int = 0
    devices: int = 0
    building: str | None = None
    garbage: tuple[ObjectVersion, ...] = ()
    beside: bool = False
    """Whether this was read from the copy beside the rows of changed devices."""


class SnapshotItem(InventoryItem):
    """A tenant's snapshot."""

    object = BlobAttribute(null=True)
    size = IntegerAttribute(default=0)
    devices = IntegerAttribute(default=0)
    building = UnicodeAttribute(null=True)
    until = TimeAttribute(null=True)
    garbage = BlobAttribute(null=True)


class CopyItem(InventoryItem):
    """A copy of the pointer."""

    object = BlobAttribute()
    size = IntegerAttribute()
    devices = IntegerAttribute()


class DueItem(InventoryItem):
    """A tenant whose snapshot the worker has to check."""

    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()
    by_tenant = ListIndex["DueItem"]()


def _ref(tenant: TenantId) -> SnapshotItem:
    return SnapshotItem(keys.partition(tenant), _SORT)


def first_partition(tenant: TenantId) -> str:
    """The partition that contains the copy, and with it the rows of all changed devices."""
    return keys.partition(tenant, "CHANGED", "0")


def find(tenant: TenantId) -> Pointer:
    """The snapshot as it is now."""
    item = _ref(tenant).fetch()
    if item is None:
        return Pointer()
    return Pointer(
        object=tuple(item.object) if item.object else None,
        size=item.size,
        devices=item.devices,
        building=item.building,
        garbage=tuple((key, version) for key, version in item.garbage or ()),
    )


def lease(tenant: TenantId, before: Pointer, key: str, now: datetime, until: datetime) -> bool:
    """Take the lease for building the next snapshot as object ``key``.

    False while another process has it, or if ``before`` is no longer the snapshot: what was built on it would lack the
    changes that the newer one contains.
    """
    if before.building is None:
        same = SnapshotItem.object == before.object if before.object else SnapshotItem.object.does_not_exist()
        free: Condition = SnapshotItem.building.does_not_exist() & same
    else:
        free = (SnapshotItem.building == before.building) & (SnapshotItem.until < now)
    tx = Transaction()
    # The object of an interrupted builder is garbage from now on.
    left = [(before.building, None)] if before.building is not None else []
    actions = [
        SnapshotItem.building.set(key),
        SnapshotItem.until.set(until),
        SnapshotItem.garbage.set([*before.garbage, *left]),
    ]
    tx.update(_ref(tenant), actions, free, label="lease")
    return tx.try_commit()


def publish(tenant: TenantId, before: Pointer, after: Pointer, key: str, *, beside: bool) -> bool:
    """Make ``after`` the snapshot; False if another process has taken the lease since.

    ``beside``: whether there has to be a copy beside the rows of changed devices.
    """
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
    copy = CopyItem(first_partition(tenant), BESIDE)
    if beside:
        copy.object, copy.size, copy.devices = after.object, after.size, after.devices
        tx.put(copy)
    else:
        tx.delete(copy)
    return tx.try_commit()


def ask(tx: Transaction, tenant: TenantId) -> None:
    """Ask the worker to check whether the tenant needs a new snapshot."""
    item = DueItem(keys.partition(tenant), _DUE_SORT)
    item.list_pk, item.list_sk = _DUE, tenant
    tx.put(item, label="due")


def looked(tenant: TenantId) -> None:
    """Record that the worker is checking."""
    tx = Transaction()
    tx.delete(DueItem(keys.partition(tenant), _DUE_SORT))
    tx.commit()


def due() -> Iterator[TenantId]:
    """The tenants that wait for a check."""
    for item in DueItem.by_tenant.query(_DUE):
        yield TenantId(item.list_sk)

"""A tenant's devices as searches see them: the snapshot, and what has changed since."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from chalicelib import limits
from chalicelib.aws import s3
from chalicelib.cache import Cache, Store
from chalicelib.errors import NotFound, Unavailable
from chalicelib.fleet import control
from chalicelib.inventory.rules import finding, snapshot
from chalicelib.inventory.rules.device import Device
from chalicelib.inventory.rules.snapshot import Snapshot
from chalicelib.inventory.tables import changes, devices, snapshots
from chalicelib.inventory.tables.snapshots import ObjectVersion, Pointer
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import Transaction

if TYPE_CHECKING:
    from chalicelib.inventory.tables.changes import Change

Settled = dict[str, tuple[str, Device | None]]
"""Changed devices (None: deleted) with the stamps of their rows."""

_HELD = 12 * limits.MIB
"""Maximum stored bytes of columns and devices in memory; decoded they take about five times as much."""
_DEVICE = 2 * limits.KIB
"""What a device counts for."""
_SEEN = 200
"""Maximum unchanged devices of a tenant in memory."""
_SHORT = 30
"""Rows of changed devices that one read unit pays for."""


class _Known(msgspec.Struct):
    """The cached data of a tenant: its snapshot, the devices that have changed since, and unchanged ones."""

    object: ObjectVersion | None = None
    snapshot: Snapshot | None = None
    changed: Settled = {}
    seen: dict[str, Device] = {}
    beside: bool = False
    """As ``Pointer.beside``."""


def _weight(known: _Known) -> int:
    size = known.snapshot.size if known.snapshot else 0
    count = len(known.changed) + len(known.seen)
    return max(size + _DEVICE * count, _HELD // limits.SNAPSHOT_TENANTS)


class View(msgspec.Struct, frozen=True):
    """A tenant's devices at one moment."""

    tenant: TenantId
    snapshot: Snapshot | None
    changed: dict[str, Device | None]
    """The devices that have changed since the snapshot, in their present state; None: deleted."""
    _seen: dict[str, Device] = {}
    """Devices that were read while this was the newest snapshot. Those that are not ``changed`` are still like that."""

    def devices(self, ids: list[str]) -> list[Device]:
        """The devices with these ids, in this order, without those that no longer exist."""
        known = {each: self.changed[each] if each in self.changed else self._seen.get(each) for each in ids}
        if unread := [each for each, device in known.items() if device is None and each not in self.changed]:
            found = {device.id: device for device in devices.find_many(self.tenant, unread)}
            if len(self._seen) + len(found) > _SEEN:
                self._seen.clear()
            self._seen.update(found)
            known |= found
        return [device for device in known.values() if device is not None]


_known: Store[TenantId, _Known] = Store(_HELD, weigh=_weight)
_asked: Cache[TenantId, None] = Cache()
_PAUSE = 60
"""Seconds after which a process asks again for a new snapshot: the schedule reads such requests every minute."""


def view(tenant: TenantId, *, whole: bool = False) -> View:
    """The tenant's devices now. ``whole``: every column will be read.

    The list of changed devices is read before the pointer to the snapshot. A builder removes a change only when a
    snapshot that contains it is in place, so each change is in one of the two.

    Raises:
        Unavailable: too many devices changed since the last snapshot; the next one is being built.
    """
    rows, pointer = changes.read_for_search(tenant)
    if finding.is_due(len(rows), pointer.devices):
        _asked.get(tenant, lambda: _ask(tenant), life=_PAUSE)
        if len(rows) > limits.SNAPSHOT_STEP:
            raise Unavailable("the search is being prepared; try again in a minute", retry_after=60)
    known = _known.get(tenant) or _Known()
    changed, settled = look(tenant, rows, known.changed)
    opened = _opened(pointer, known)
    seen = known.seen if pointer.object == known.object else {}
    _known.put(tenant, _Known(pointer.object, opened, settled, seen, pointer.beside))
    if whole and pointer.object is not None:
        opened = load(pointer)
    return View(tenant, opened, changed, seen)


def is_cheap(tenant: TenantId) -> bool:
    """Whether a view of the tenant probably costs one query, of few rows."""
    known, about = _known.get(tenant), control.get(tenant)
    if about.parts > 1 or (known is not None and len(known.changed) > _SHORT):
        return False
    return about.changes_from == control.ALWAYS or (known is not None and known.beside)


def _ask(tenant: TenantId) -> None:
    tx = Transaction()
    snapshots.ask(tx, tenant)
    tx.commit()


def look(tenant: TenantId, rows: list[Change], known: Settled) -> tuple[dict[str, Device | None], Settled]:
    """The changed devices as they are now, and those that are as new as their rows; ``known`` ones are not read."""
    # With two rows, the one that was written last is known only by the device.
    settled = {
        row.device_id: known[row.device_id]
        for row in rows
        if row.older is None and known.get(row.device_id, ("",))[0] == row.stamp
    }
    unknown = [row for row in rows if row.device_id not in settled]
    found = {device.id: device for device in devices.find_many(tenant, [row.device_id for row in unknown])}
    changed = {device_id: device for device_id, (_, device) in settled.items()}
    for row in unknown:
        device = changed[row.device_id] = found.get(row.device_id)
        if _is_settled(row, device):
            settled[row.device_id] = (row.stamp, device)
    return changed, settled


def _is_settled(row: Change, device: Device | None) -> bool:
    return row.gone if device is None else device.stamp == row.stamp


def _opened(pointer: Pointer, known: _Known) -> Snapshot | None:
    if pointer.object is None or pointer.object == known.object:
        return known.snapshot if pointer.object else None
    return snapshot.opened(pointer.size, partial(_read, *pointer.object))


def _read(key: str, version: str | None, start: int, stop: int) -> bytes:
    try:
        return s3.get(key, version, span=(start, stop))
    except NotFound as error:
        # It was replaced twice since the pointer was read, or during this search.
        raise Unavailable(retry_after=1) from error


def load(pointer: Pointer) -> Snapshot | None:
    """The snapshot, with its whole object read at once."""
    if pointer.object is None:
        return None
    data = s3.get(*pointer.object)
    return snapshot.opened(pointer.size, lambda start, stop: data[start:stop])

"""A tenant's devices as searches see them: the snapshot, and what has changed since."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from chalicelib import limits
from chalicelib.aws import s3
from chalicelib.cache import Store
from chalicelib.errors import NotFound, Unavailable
from chalicelib.inventory.rules import finding, snapshot
from chalicelib.inventory.rules.device import Device
from chalicelib.inventory.rules.snapshot import Snapshot
from chalicelib.inventory.tables import changes, devices, snapshots
from chalicelib.inventory.tables.snapshots import ObjectVersion, Pointer
from chalicelib.storage.transactions import Transaction

if TYPE_CHECKING:
    from chalicelib.inventory.tables.changes import Change
    from chalicelib.storage.keys import TenantId

Settled = dict[str, tuple[str, Device | None]]
"""Changed devices (None: deleted) with the stamps of their rows."""

_HELD = 12 * limits.MIB
"""Maximum stored bytes of columns in memory; decoded they take about five times as much."""


class _Known(msgspec.Struct):
    """The cached data of a tenant: its snapshot, and the devices that have changed since."""

    object: ObjectVersion | None = None
    snapshot: Snapshot | None = None
    changed: Settled = {}


def _weight(known: _Known) -> int:
    size = known.snapshot.size if known.snapshot else 0
    return max(size, _HELD // limits.SNAPSHOT_TENANTS)


_known: Store[TenantId, _Known] = Store(_HELD, weigh=_weight)


def view(tenant: TenantId, *, whole: bool = False) -> tuple[Snapshot | None, dict[str, Device | None]]:
    """The tenant's snapshot, if there is one yet, and the changed devices in their present state.

    ``whole``: every column will be read.

    The list of changed devices is read before the pointer to the snapshot. A builder removes a change only when a
    snapshot that contains it is in place, so each change is in one of the two.

    Raises:
        Unavailable: too many devices changed since the last snapshot; the next one is being built.
    """
    rows = changes.read(tenant)
    pointer = snapshots.find(tenant)
    if finding.is_due(len(rows), pointer.devices):
        tx = Transaction()
        snapshots.ask(tx, tenant)
        tx.commit()
        if len(rows) > limits.SNAPSHOT_STEP:
            raise Unavailable("the search is being prepared; try again in a minute", retry_after=60)
    known = _known.get(tenant) or _Known()
    changed, settled = look(tenant, rows, known.changed)
    opened = _opened(pointer, known)
    _known.put(tenant, _Known(pointer.object, opened, settled))
    if whole and pointer.object is not None:
        opened = load(pointer)
    return opened, changed


def look(tenant: TenantId, rows: list[Change], known: Settled) -> tuple[dict[str, Device | None], Settled]:
    """The changed devices as they are now, and those that are as new as their rows; ``known`` ones are not read."""
    settled = {row.device_id: known[row.device_id] for row in rows if known.get(row.device_id, ("",))[0] == row.stamp}
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

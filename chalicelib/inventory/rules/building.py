"""Builds a snapshot from the previous one and the devices that have changed since."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.inventory.rules import columns
from chalicelib.inventory.rules.attributes import SYSTEM
from chalicelib.inventory.rules.snapshot import Directory, Entry

if TYPE_CHECKING:
    from chalicelib.inventory.rules.device import Device
    from chalicelib.inventory.rules.snapshot import Place, Snapshot

_RARE = 16
"""An attribute gets a column of its own if at least one device in this number has it."""
_SHAPES = 20_000
"""The maximum number of different attribute sets; devices with less frequent sets are not counted."""

_Few = dict[int, Any]
"""Keys of values by row."""


def build(old: Snapshot | None, changed: Mapping[str, Device | None]) -> tuple[int, bytes]:
    """The object of a snapshot with the ``changed`` devices (None: deleted), and the size of its directory.

    It builds one column at a time, so it needs memory for the object and the widest column only.
    """
    return _Builder(old, changed).built()


class _Builder:
    def __init__(self, old: Snapshot | None, changed: Mapping[str, Device | None]) -> None:
        self._old = old
        fresh = {device.id: device for device in changed.values() if device is not None}
        stayed = [] if old is None else [(each, row) for row, each in enumerate(old.ids) if each not in changed]
        order = sorted([*stayed, *((each, -1) for each in fresh)])
        self._ids = [each for each, _ in order]
        self._sources = [source for _, source in order]
        """For each row its row in the old snapshot; -1 for a changed device."""
        self._moved = {source: row for row, source in enumerate(self._sources) if source >= 0}
        self._fresh: dict[Place, _Few] = {}
        self._shapes: dict[int, list[Place]] = {}
        """The attributes of the devices in changed rows."""
        self._times: set[Place] = set()
        self._blocks: list[bytes] = []
        self._size = 0
        for row, device_id in enumerate(self._ids):
            if self._sources[row] < 0:
                self._take(row, fresh[device_id])

    def _take(self, row: int, device: Device) -> None:
        self._shapes[row] = []
        for scope, name, value in device.searched():
            self._fresh.setdefault((scope, name), {})[row] = columns.key(value)
            self._shapes[row].append((scope, name))
            if isinstance(value, datetime):
                self._times.add((scope, name))

    def built(self) -> tuple[int, bytes]:
        entries: list[Entry] = []
        rare: dict[str, dict[str, tuple[list[int], list[Any]]]] = {}
        there: list[Place] = []
        for place in sorted({*self._fresh, *(self._old.places if self._old else ())}):
            keys = self._keys(place)
            present = len(keys) if isinstance(keys, dict) else len(keys) - keys.count(None)
            if not present:
                continue
            there.append(place)
            if place[0] != SYSTEM and present * _RARE < len(self._ids):
                few = keys if isinstance(keys, dict) else _few(keys)
                rare.setdefault(place[0], {})[place[1]] = (list(few), list(few.values()))
            else:
                spread = [keys.get(row) for row in range(len(self._ids))] if isinstance(keys, dict) else keys
                offset, stored = self._column(spread, times=self._is_time(place))
                entries.append(Entry(place[0], place[1], offset, stored))
        directory = Directory(
            devices=len(self._ids),
            ids=self._part(self._ids),
            rare=self._part(rare),
            places=self._part(there),
            shapes=self._column(self._all_shapes(there), times=False),
            columns=entries,
        )
        head = zlib.compress(msgspec.json.encode(directory))
        return len(head), b"".join([head, *self._blocks])

    def _keys(self, place: Place) -> list[Any] | _Few:
        """The key of each row if the attribute was a column, otherwise the existing keys."""
        fresh = self._fresh.get(place, {})
        if self._old is not None and self._old.is_column(place):
            # Not cached: a builder reads every column, but only once.
            column = self._old.read(place)
            known, codes = column.keys(), column.codes
            keys = [known[codes[source]] if source >= 0 else None for source in self._sources]
            for row, key in fresh.items():
                keys[row] = key
            return keys
        rows, values = self._old.few(place) if self._old is not None else ((), ())
        stayed = {
            self._moved[row]: columns.key(value) for row, value in zip(rows, values, strict=True) if row in self._moved
        }
        return stayed | fresh

    def _is_time(self, place: Place) -> bool:
        return place in self._times or (self._old is not None and self._old.is_time(place))

    def _all_shapes(self, there: list[Place]) -> list[Any]:
        """For each row the places in ``there`` of its device's attributes; None for those that are not counted."""
        index = {place: number for number, place in enumerate(there)}
        shapes: list[Any] = [None] * len(self._ids)
        if self._old is not None:
            before = [index.get(place) for place in self._old.places]
            known = [None, *(tuple(before[number] for number in shape) for shape in self._old.shapes.values)]
            codes = self._old.shapes.codes
            shapes = [known[codes[source]] if source >= 0 else None for source in self._sources]
        for row, places in self._shapes.items():
            shapes[row] = tuple(sorted(index[place] for place in places))
        counts = Counter(shapes)
        if len(counts) <= _SHAPES:
            return shapes
        frequent = {shape for shape, _ in counts.most_common(_SHAPES)}
        return [shape if shape in frequent else None for shape in shapes]

    def _column(self, keys: list[Any], *, times: bool) -> tuple[int, columns.Stored]:
        stored, data = columns.pack(keys, times=times)
        return self._add(data), stored

    def _part(self, content: Any) -> tuple[int, int]:
        offset = self._add(zlib.compress(msgspec.json.encode(content), 1))
        return offset, self._size

    def _add(self, data: bytes) -> int:
        self._blocks.append(data)
        self._size += len(data)
        return self._size - len(data)


def _few(keys: list[Any]) -> _Few:
    return {row: key for row, key in enumerate(keys) if key is not None}

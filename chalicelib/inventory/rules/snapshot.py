"""Snapshots: the devices of a tenant by columns, in one object (``docs/adr/0006-inventory-search.md``).

The object begins with its directory; a search reads that and the columns it needs. Attributes that few devices have
share one part instead of having columns. The last part says which attributes each device has.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from itertools import compress
from typing import Any, TypeAlias

import msgspec

from chalicelib.inventory.rules import columns
from chalicelib.inventory.rules.attributes import IDENTITY
from chalicelib.inventory.rules.columns import Column, Stored

Place: TypeAlias = "tuple[str, str]"
"""Scope and name of an attribute."""
Read: TypeAlias = "Callable[[int, int], bytes]"
"""Reads the bytes of the object between two offsets."""
Rare: TypeAlias = "dict[str, dict[str, tuple[list[int], list[Any]]]]"
"""Rows and values of attributes, by scope and name."""


class Entry(msgspec.Struct, array_like=True):
    """The location of a column."""

    scope: str
    name: str
    offset: int
    stored: Stored


class Directory(msgspec.Struct, array_like=True):
    """The beginning of an object. Offsets count from its own end; ``shapes`` is a column of lists of places."""

    devices: int
    ids: tuple[int, int]
    rare: tuple[int, int]
    places: tuple[int, int]
    shapes: tuple[int, Stored]
    columns: list[Entry]


class Snapshot:
    """A snapshot whose parts are read when they are used."""

    def __init__(self, directory: Directory, read: Read) -> None:
        self.devices = directory.devices
        self._directory = directory
        self._read = read
        self._entries = {(entry.scope, entry.name): entry for entry in directory.columns}
        self._columns: dict[Place, Column] = {}
        self.size = 0
        """Stored bytes of the cached columns."""

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the devices, in order; the index of an id is its row."""
        ids: list[str] = self._part(self._directory.ids, list[str])
        return ids

    @cached_property
    def rare(self) -> Rare:
        """Attributes that few devices have."""
        rare: Rare = self._part(self._directory.rare, dict[str, dict[str, tuple[list[int], list[Any]]]])
        return rare

    @cached_property
    def places(self) -> list[Place]:
        """All attributes."""
        places: list[Place] = self._part(self._directory.places, list[tuple[str, str]])
        return places

    @cached_property
    def shapes(self) -> Column:
        """Which attributes a device has, as indexes into ``places``."""
        offset, stored = self._directory.shapes
        return columns.unpack(stored, self._read(offset, offset + stored.codes + stored.values))

    def _part(self, span: tuple[int, int], shape: Any) -> Any:
        return msgspec.json.decode(zlib.decompress(self._read(*span)), type=shape)

    def column(self, scope: str, name: str) -> Column:
        """The column of an attribute, or an empty one."""
        place = (scope, name)
        known = self._columns.get(place)
        if known is None:
            known = self._columns[place] = self.read(place)
            entry = self._entries.get(place)
            self.size += self.devices + (entry.stored.codes + entry.stored.values if entry else 0)
        return known

    def read(self, place: Place) -> Column:
        """The column of an attribute, read without the cache."""
        if place == (IDENTITY, "id"):
            column = Column(range(1, self.devices + 1), lambda: msgspec.json.encode(self.ids))
            column.values = self.ids
            return column
        entry = self._entries.get(place)
        if entry is not None:
            end = entry.offset + entry.stored.codes + entry.stored.values
            return columns.unpack(entry.stored, self._read(entry.offset, end))
        rows, values = self.few(place)
        keys: list[Any] = [None] * self.devices
        for row, value in zip(rows, values, strict=True):
            keys[row] = columns.key(value)
        return columns.unpack(*columns.pack(keys, times=False))

    def counts(self, mask: bytes) -> Counter[Place]:
        """How many of the devices in ``mask`` have each attribute."""
        found: Counter[Place] = Counter()
        codes = self.shapes.codes
        for code, count in Counter(compress(codes, mask)).items():
            if code:
                for index in self.shapes.values[code - 1]:
                    found[self.places[index]] += count
        return found

    def few(self, place: Place) -> tuple[list[int], list[Any]]:
        """Rows and values of an attribute without a column."""
        return self.rare.get(place[0], {}).get(place[1], ([], []))

    def is_column(self, place: Place) -> bool:
        """Whether an attribute has a column."""
        return place in self._entries

    def is_time(self, place: Place) -> bool:
        """Whether an attribute is a time set by the server."""
        return place in self._entries and self._entries[place].stored.times


def opened(size: int, read: Read) -> Snapshot:
    """The snapshot of an object whose directory has ``size`` bytes; ``read`` reads spans of the object."""
    directory = msgspec.json.decode(zlib.decompress(read(0, size)), type=Directory)
    return Snapshot(directory, lambda start, stop: read(size + start, size + stop))

"""Searches a snapshot together with the devices that have changed since it was built.

The result of :func:`find` is the same as if each device were read. Changed devices are evaluated one by one.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import limits
from chalicelib.inventory.rules import columns, matching, texts
from chalicelib.inventory.rules.attributes import IDENTITY, SYSTEM
from chalicelib.inventory.rules.columns import Codes, Column
from chalicelib.inventory.rules.matching import Query, rank

if TYPE_CHECKING:
    from chalicelib.inventory.rules.device import Device
    from chalicelib.inventory.rules.matching import SortKey
    from chalicelib.inventory.rules.snapshot import Place, Snapshot
    from chalicelib.inventory.rules.texts import Term

Changed = Mapping[str, "Device | None"]
"""Devices that have changed since the snapshot, in their present state; None: deleted."""


class _Hit(msgspec.Struct, frozen=True):
    """A match: the device's id, the values to sort by, and how well it fits the text."""

    id: str
    values: tuple[Any, ...]
    score: int


def find(snapshot: Snapshot | None, changed: Changed, query: Query, start: int, stop: int) -> tuple[list[str], int]:
    """Ids of rows ``start`` to ``stop`` of the matches, and the number of all matches.

    Without a snapshot, ``changed`` holds all devices.
    """
    wanted = texts.terms(query.text)
    # Searches for text are ranked by how well devices fit; the requested order is ignored.
    sort = () if wanted else query.sort
    fresh = [
        _Hit(device.id, tuple(device.value(key.scope, key.attribute) for key in sort), score)
        for device in changed.values()
        if device is not None
        and (query.ids is None or device.id in query.ids)
        and matching.matches(device, query.predicates)
        and ((score := texts.points(device, wanted) if wanted else 0) or not wanted)
    ]
    if snapshot is None:
        return [hit.id for hit in _ordered(fresh, sort)[start:stop]], len(fresh)
    stored = _among_stored(snapshot, changed, query, sort, wanted, stop)
    if not fresh:
        return [snapshot.ids[row] for row in stored.in_order()[start:stop]], stored.total
    return [hit.id for hit in _ordered(stored.hits(snapshot) + fresh, sort)[start:stop]], stored.total + len(fresh)


class _Stored(msgspec.Struct, frozen=True):
    """Matches among the unchanged devices: the first rows in the requested order, unsorted, and the number of all."""

    rows: list[int]
    total: int
    columns: list[Column]
    """The attributes to sort by."""
    keys: list[tuple[Codes, bool]]
    """The numbers to sort by, for each row of the snapshot, and whether they descend."""
    scores: Codes

    def in_order(self) -> list[int]:
        """The rows in the requested order. It compares numbers only, which have the order of the values."""
        rows = list(self.rows)
        for codes, descending in reversed(self.keys):
            rows.sort(key=codes.__getitem__, reverse=descending)
        return rows

    def hits(self, snapshot: Snapshot) -> list[_Hit]:
        """The rows in a form that can be sorted together with changed devices."""
        return [
            _Hit(snapshot.ids[row], tuple(column.value(row) for column in self.columns), self.scores[row])
            for row in self.rows
        ]


def _ordered(hits: list[_Hit], sort: Sequence[SortKey]) -> list[_Hit]:
    hits.sort(key=lambda hit: hit.id)
    # From the last key to the first: sorting is stable, so earlier keys take precedence.
    for place in reversed(range(len(sort))):
        hits.sort(key=lambda hit: rank(hit.values[place]), reverse=sort[place].descending)
    hits.sort(key=lambda hit: -hit.score)
    return hits


def _among_stored(
    snapshot: Snapshot, changed: Changed, query: Query, sort: Sequence[SortKey], wanted: Sequence[Term], stop: int
) -> _Stored:
    """The first ``stop`` matches among the unchanged devices."""
    mask = _remaining(snapshot, changed, query)
    columns = [snapshot.column(key.scope, key.attribute) for key in sort]
    keys: list[tuple[Codes, bool]] = [(column.codes, key.descending) for column, key in zip(columns, sort, strict=True)]
    narrowed = mask if query.predicates or query.ids is not None else None
    scores: Codes = bytes(snapshot.devices)
    if wanted:
        grades = _grades(snapshot, wanted, narrowed)
        for each in grades:
            mask = _both(mask, each.translate(_ANY))
        scores = array("H", map(sum, zip(*(each.translate(texts.POINTS) for each in grades), strict=True)))
        keys = [(scores, True)]
    rows = list(compress(range(snapshot.devices), mask))
    return _Stored(_leading(rows, keys, stop), len(rows), columns, keys, scores)


def count(snapshot: Snapshot | None, changed: Changed, query: Query) -> Counter[Place]:
    """How many of the devices that a query finds have each attribute."""
    found = snapshot.counts(_remaining(snapshot, changed, query)) if snapshot else Counter()
    for device in changed.values():
        if device is not None and matching.matches(device, query.predicates):
            found.update((scope, name) for scope, name, _ in device.searched())
    return found


def values(snapshot: Snapshot | None, changed: Changed, query: Query, place: Place) -> Counter[Any]:
    """How many of the devices that a query finds have each value of an attribute; None: they do not have it.

    The query has no text. A value that is a list counts as one value, a tuple.
    """
    found: Counter[Any] = Counter()
    if snapshot:
        column = snapshot.column(*place)
        for code, number in Counter(compress(column.codes, _remaining(snapshot, changed, query))).items():
            found[columns.key(column.of_code(code))] += number
    for device in changed.values():
        if device is not None and matching.matches(device, query.predicates):
            found[columns.key(device.value(*place))] += 1
    return found


def table(
    snapshot: Snapshot | None, changed: Changed, query: Query, places: Sequence[Place], most: int
) -> tuple[dict[str, tuple[Any, ...]], int]:
    """The values of some attributes of the first ``most`` devices that a query finds, by id.

    The query has neither a text nor an order. Returns also the number of all devices that it finds.
    """
    ids, total = find(snapshot, changed, query, 0, most)
    columns = [snapshot.column(*place) for place in places] if snapshot is not None else []
    found: dict[str, tuple[Any, ...]] = {}
    for device_id in ids:
        device = changed.get(device_id)
        if device is not None:
            found[device_id] = tuple(device.value(*place) for place in places)
        elif snapshot is not None:
            row = bisect_left(snapshot.ids, device_id)
            found[device_id] = tuple(column.value(row) for column in columns)
    return found, total


def _remaining(snapshot: Snapshot, changed: Changed, query: Query) -> bytes:
    """One byte for each row: 1 if the device is unchanged and meets the query's conditions, without its text."""
    chosen = bytearray(b"\x01" * snapshot.devices)
    if query.ids is not None:
        chosen = bytearray(snapshot.devices)
        for device_id in query.ids:
            _set(chosen, snapshot.ids, device_id, 1)
    for device_id in changed:
        _set(chosen, snapshot.ids, device_id, 0)
    mask = bytes(chosen)
    narrowed = query.ids is not None
    for predicate in query.predicates:
        column = snapshot.column(predicate.scope, predicate.attribute)
        # Rows that an earlier condition excluded are not evaluated; a user's scope is the first condition.
        mask = _both(mask, column.mask(predicate, mask if narrowed else None))
        narrowed = True
    return mask


def _set(mask: bytearray, ids: Sequence[str], device_id: str, value: int) -> None:
    row = bisect_left(ids, device_id)
    if row < len(ids) and ids[row] == device_id:
        mask[row] = value


def _both(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "little") & int.from_bytes(other, "little")).to_bytes(len(one), "little")


def _leading(rows: list[int], keys: Sequence[tuple[Codes, bool]], stop: int) -> list[int]:
    """The first ``stop`` rows by these keys (and whether each descends), unsorted: only the page is ever sorted."""
    if len(rows) <= stop:
        return rows
    if not keys or not stop:
        return rows[:stop]
    (codes, descending), *rest = keys
    own = list(map(codes.__getitem__, rows))
    last = _nth(own, stop, descending=descending)
    before = list(compress(rows, map(last.__lt__ if descending else last.__gt__, own)))
    level = list(compress(rows, map(last.__eq__, own)))
    return before + _leading(level, rest, stop - len(before))


def _nth(codes: list[int], place: int, *, descending: bool) -> int:
    if place * _FEW > len(codes):
        return sorted(codes, reverse=descending)[place - 1]
    return (heapq.nlargest if descending else heapq.nsmallest)(place, codes)[-1]


_FEW = 20
"""A heap is faster than a sort if it has to find at most one of this number."""
_ANY = b"\x00" + b"\x01" * 255


def _grades(snapshot: Snapshot, wanted: Sequence[Term], among: bytes | None) -> list[bytes]:
    """For each term, one byte for each row: the best grade with which the device contains it; 0 if it does not.

    With ``among``, only the marked rows are evaluated; the result for the others is undefined.
    """
    places = [(IDENTITY, "id"), (SYSTEM, "group")]
    places += [place for place in snapshot.places if texts.searches(*place)]
    found = {term: bytes(snapshot.devices) for term in wanted}
    for place in places:
        # Not cached: text is searched in all columns, and keeping them all would take too much memory.
        for term, grades in snapshot.read(place).said(wanted, among).items():
            found[term] = _either(found[term], grades)
    return list(found.values())


def _either(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "little") | int.from_bytes(other, "little")).to_bytes(len(one), "little")


def is_due(changes: int, devices: int) -> bool:
    """Whether to build a new snapshot of this number of devices, of which so many have changed."""
    return changes >= max(limits.SNAPSHOT_CHANGES, devices // 100)

"""Columns: one attribute of all devices, in a form that a search can read without touching each device.

A column holds the distinct values in order and, for each device, the number of its value. A condition is evaluated once
for each distinct value and looked up for each device; sorting compares numbers. All of that runs in C
(``docs/adr/0006-inventory-search.md``).
"""

from __future__ import annotations

import re
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate, compress
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from chalicelib.inventory.rules import texts
from chalicelib.inventory.rules.attributes import as_searched
from chalicelib.inventory.rules.matching import OPERATORS, parse_time, rank

if TYPE_CHECKING:
    from chalicelib.inventory.rules.matching import Predicate, Rank
    from chalicelib.inventory.rules.texts import Term

Codes: TypeAlias = "bytes | array[int] | range"
Table: TypeAlias = "bytes | bytearray"
"""One byte for each code: 1 where a condition holds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_BYTE, _SHORT = 256, 65_536
_FLIP = bytes([1, 0]) + bytes(254)


class Column:
    """An attribute. ``values`` are in order of rank; code 0 means no value, code n the n-th value.

    Times are stored as milliseconds and converted to ``datetime`` only where they are shown.
    """

    def __init__(self, codes: Codes, document: Callable[[], bytes], *, times: bool = False) -> None:
        self.codes = codes
        self.times = times
        self._document = document
        """Makes the JSON of the values. Most columns that are only sorted by never need it."""

    @cached_property
    def values(self) -> list[Any]:
        """The distinct values in order; times as milliseconds."""
        document = self._document()
        values: list[Any] = msgspec.json.decode(document, type=list)
        # Snapshots of earlier versions contain numbers as they were sent.
        return as_searched(values) if _LONG_NUMBER.search(document) else values

    @cached_property
    def _lists(self) -> list[int]:
        return [code for code, value in enumerate(self.values, 1) if isinstance(value, list)]

    def keys(self) -> list[Any]:
        """The :func:`key` of the value of each code."""
        return [None, *map(key, self.values)]

    def value(self, row: int) -> Any:
        """The value of a row."""
        return self.of_code(self.codes[row])

    def of_code(self, code: int) -> Any:
        """The value that a code stands for."""
        return self._value(code) if code else None

    def _value(self, code: int) -> Any:
        value = self.values[code - 1]
        return _EPOCH + value * _MILLISECOND if self.times else value

    def mask(self, predicate: Predicate, among: bytes | None = None) -> bytes:
        """One byte for each row: 1 where the condition holds.

        ``among`` has a byte for each row: only values of the marked rows are evaluated, and the result for the other
        rows is undefined.
        """
        return self.spread(self._decided(predicate.operator, predicate.value, self._occurring(among)))

    def _occurring(self, among: bytes | None) -> Sequence[int]:
        """The codes of the values of these rows (None: of all rows), in order."""
        if among is None:
            return range(1, len(self.values) + 1)
        return sorted(set(compress(self.codes, among)) - {0})

    def spread(self, table: Table) -> bytes:
        """For each row, the byte of ``table`` for its code."""
        if isinstance(self.codes, bytes):
            return self.codes.translate(bytes(table) + bytes(_BYTE - len(table)))
        return bytes(map(table.__getitem__, self.codes))

    def _decided(self, operator: str, wanted: Any, codes: Sequence[int]) -> Table:
        """Whether the condition holds for each code; undefined for those that are not in ``codes``."""
        if operator in _OPPOSITES:
            return self._decided(_OPPOSITES[operator], wanted, codes).translate(_FLIP)
        test = OPERATORS[operator]
        table = bytearray(len(self.values) + 1)
        table[0] = test(None, wanted)
        spans = self._spans(operator, wanted, codes)
        # A list is sorted by its least item, but each of its items counts.
        rest: Iterable[int] = codes if spans is None else self._lists_among(codes)
        for first, stop in spans or ():
            table[first:stop] = b"\x01" * (stop - first)
        for code in rest:
            table[code] = test(self._value(code), wanted)
        return table

    def _lists_among(self, codes: Sequence[int]) -> Sequence[int]:
        if len(codes) == len(self.values):
            return self._lists
        return [code for code in codes if isinstance(self.values[code - 1], list)]

    def _spans(self, operator: str, wanted: Any, codes: Sequence[int]) -> list[tuple[int, int]] | None:
        """Ranges of codes for which a condition holds, lists excluded; None: test each value."""
        if operator == "$exists":
            return [(1, len(self.values) + 1)] if wanted else []
        if operator == "$in":
            single = [*wanted.scalars, *wanted.flags, *wanted.times]
            return [self._span("$eq", item, codes) for item in single] if len(single) < len(codes) else None
        return [self._span(operator, wanted, codes)] if operator in _BOUNDS else None

    def _span(self, operator: str, wanted: Any, codes: Sequence[int]) -> tuple[int, int]:
        if self.times:
            wanted = wanted if isinstance(wanted, datetime) else parse_time(wanted)
        elif isinstance(wanted, list | datetime):
            wanted = None
        if wanted is None or not codes:
            return 1, 1
        key = (_TIME_KIND, (wanted - _EPOCH) // _MILLISECOND, ()) if self.times else rank(wanted)
        low, high = _BOUNDS[operator]
        first, stop = self._place(key, low, codes), self._place(key, high, codes)
        return (codes[first], codes[stop - 1] + 1) if first < stop else (1, 1)

    def _place(self, key: Rank, side: str, codes: Sequence[int]) -> int:
        """The number of values before a key, or up to it; or before all values of its type, or up to their last."""
        bisect = bisect_left if side in {"before", "begin"} else bisect_right
        if side in {"before", "after"}:
            return bisect(codes, key, key=self._rank)
        return bisect(codes, key[0], key=lambda code: self._rank(code)[0])

    def _rank(self, code: int) -> Rank:
        value = self.values[code - 1]
        return (_TIME_KIND, value, ()) if self.times else rank(value)

    def said(self, terms: Sequence[Term], among: bytes | None = None) -> dict[Term, bytes]:
        """For each term that occurs: one byte for each row, the grade with which its value contains the term.

        ``among`` as in :meth:`mask`.
        """
        if among is None:
            # Most columns contain none of them, which is known before any value is decoded.
            document = texts.folded(self._document().decode())
            terms = [term for term in terms if all(word in document for word in term.words)]
            if not terms:
                return {}
        codes = self._occurring(among)
        # Folded one by one, because that may change their lengths.
        lines = [texts.folded(texts.text_of(self.values[code - 1])) for code in codes]
        text, ends = "\n".join(lines), list(accumulate(len(each) + 1 for each in lines))
        found = {}
        for term in terms:
            table = bytearray(len(self.values) + 1)
            for place, grade in term.places(text):
                table[codes[bisect_right(ends, place)]] |= grade
            if any(table):
                found[term] = self.spread(table)
        return found


_LONG_NUMBER = re.compile(rb"[0-9]{16}")
_TIME_KIND = rank(_EPOCH)[0]
_OPPOSITES = {"$ne": "$eq", "$nin": "$in"}
_BOUNDS = {
    "$eq": ("before", "after"),
    "$gt": ("after", "end"),
    "$gte": ("before", "end"),
    "$lt": ("begin", "before"),
    "$lte": ("begin", "after"),
    "$ltne": ("begin", "before"),
}


class Stored(msgspec.Struct, array_like=True):
    """The stored form of a column: sizes of its two parts, bytes per code, and whether the values are times."""

    codes: int
    values: int
    width: int
    times: bool


def key(value: Any) -> Any:
    """A value in its stored form: hashable, times as milliseconds."""
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MILLISECOND
    return tuple(value) if isinstance(value, list) else value


def pack(keys: Sequence[Any], *, times: bool) -> tuple[Stored, bytes]:
    """A column in its stored form, from the key of each row (None: no value)."""
    if bool in set(map(type, keys)):
        # For a dict, True equals 1: if an attribute has both, each would become the one that comes first.
        keys = [(_FLAG, key) if isinstance(key, bool) else key for key in keys]
    ordered = sorted(set(keys) - {None}, key=lambda key: _rank_of_key(_plain(key)))
    different = list(map(_plain, ordered))
    code = dict(zip([None, *ordered], range(len(ordered) + 1), strict=True))
    numbers = map(code.__getitem__, keys)
    width = 1 if len(code) <= _BYTE else 2 if len(code) <= _SHORT else 4
    codes = bytes(numbers) if width == 1 else array(_TYPES[width], numbers).tobytes()
    parts = zlib.compress(codes, 1), zlib.compress(msgspec.json.encode(different), 1)
    return Stored(len(parts[0]), len(parts[1]), width, times), b"".join(parts)


_FLAG = object()


def _plain(key: Any) -> Any:
    return key[1] if isinstance(key, tuple) and key[:1] == (_FLAG,) else key


_TYPES = {2: "H", 4: "I"}


def _rank_of_key(key: Any) -> Rank:
    return rank(list(key) if isinstance(key, tuple) else key)


def unpack(stored: Stored, data: bytes) -> Column:
    """The column with this stored form."""
    codes: Codes = zlib.decompress(data[: stored.codes])
    if stored.width > 1:
        codes = array(_TYPES[stored.width], codes)
    values = data[stored.codes :]
    return Column(codes, lambda: zlib.decompress(values), times=stored.times)

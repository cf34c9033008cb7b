"""Columns: one attribute of many devices, in the form in which a search can look at it without touching each device.

A column has the different values in order and, for each device, the number of its value. A condition is decided once
a value, and looked up for each device; sorting compares numbers. All of that runs in C (ADR 6).
"""

from __future__ import annotations

import re
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from chalicelib.inventory.rules.matching import OPERATORS, parse_time, rank

if TYPE_CHECKING:
    from chalicelib.inventory.rules.matching import Predicate, Rank

Codes: TypeAlias = "bytes | array[int] | range"
Table: TypeAlias = "bytes | bytearray"
"""A byte for each code: 1 where something holds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_BYTE, _SHORT = 256, 65_536
_FLIP = bytes([1, 0]) + bytes(254)


class Column:
    """An attribute. ``values`` are in order of rank; code 0 means none, code n the value before place n.

    Times are kept as milliseconds, and only made ``datetime`` where one is shown.
    """

    def __init__(self, codes: Codes, document: Callable[[], bytes], *, times: bool = False) -> None:
        self.codes = codes
        self.times = times
        self._document = document
        """Makes the JSON of the values, which most columns that are only sorted by never need."""

    @cached_property
    def values(self) -> list[Any]:
        """The different values, in order; times as milliseconds."""
        return msgspec.json.decode(self._document(), type=list)

    @cached_property
    def _lists(self) -> list[int]:
        return [code for code, value in enumerate(self.values, 1) if isinstance(value, list)]

    def keys(self) -> list[Any]:
        """For each code what :func:`key` makes of the value."""
        return [None, *map(key, self.values)]

    def value(self, row: int) -> Any:
        """The value of a row."""
        code = self.codes[row]
        return self._value(code) if code else None

    def _value(self, code: int) -> Any:
        value = self.values[code - 1]
        return _EPOCH + value * _MILLISECOND if self.times else value

    def mask(self, predicate: Predicate) -> bytes:
        """A byte for each row: 1 where the condition holds."""
        return self.spread(self._decided(predicate.operator, predicate.value))

    def spread(self, table: Table) -> bytes:
        """What ``table`` says for each row's code."""
        if isinstance(self.codes, bytes):
            return self.codes.translate(bytes(table) + bytes(_BYTE - len(table)))
        return bytes(map(table.__getitem__, self.codes))

    def _decided(self, operator: str, wanted: Any) -> Table:
        """For each code whether the condition holds."""
        if operator in _OPPOSITES:
            return self._decided(_OPPOSITES[operator], wanted).translate(_FLIP)
        test = OPERATORS[operator]
        table = bytearray(len(self.values) + 1)
        table[0] = test(None, wanted)
        spans = self._spans(operator, wanted)
        # Lists are in order with their least item, but each of their items counts.
        rest: Iterable[int] = range(1, len(table)) if spans is None else self._lists
        for first, stop in spans or ():
            table[first:stop] = b"\x01" * (stop - first)
        for code in rest:
            table[code] = test(self._value(code), wanted)
        return table

    def _spans(self, operator: str, wanted: Any) -> list[tuple[int, int]] | None:
        """Codes (first, and after the last) for which a condition holds, lists left aside; None: try each value."""
        if operator == "$exists":
            return [(1, len(self.values) + 1)] if wanted else []
        if operator == "$in":
            single = [*wanted.scalars, *wanted.flags, *wanted.times]
            return [self._span("$eq", item) for item in single] if len(single) < len(self.values) else None
        return [self._span(operator, wanted)] if operator in _BOUNDS else None

    def _span(self, operator: str, wanted: Any) -> tuple[int, int]:
        if self.times:
            wanted = wanted if isinstance(wanted, datetime) else parse_time(wanted)
        elif isinstance(wanted, list | datetime):
            wanted = None
        if wanted is None:
            return 1, 1
        key = self._rank((wanted - _EPOCH) // _MILLISECOND if self.times else wanted)
        low, high = _BOUNDS[operator]
        first, stop = self._place(key, low), self._place(key, high)
        return first + 1, max(first, stop) + 1

    def _place(self, key: Rank, side: str) -> int:
        """How many values are before a key, or up to it; or before all values of its kind, or up to their last."""
        bisect = bisect_left if side in {"before", "begin"} else bisect_right
        if side in {"before", "after"}:
            return bisect(self.values, key, key=self._rank)
        return bisect(self.values, key[0], key=lambda value: self._rank(value)[0])

    def _rank(self, value: Any) -> Rank:
        return (_TIME_KIND, value, ()) if self.times else rank(value)

    def said(self, words: Iterable[str]) -> dict[str, bytes]:
        """For those of some words that occur, a byte for each row: 1 where the text of its value has the word."""
        document = self._document().decode().lower()
        # Most columns have none of them; that shows before any value is decoded.
        tables = {word: self._saying(word) for word in words if word in document}
        return {word: self.spread(table) for word, table in tables.items() if 1 in table}

    def _saying(self, word: str) -> bytearray:
        table = bytearray(len(self.values) + 1)
        for found in re.finditer(re.escape(word), self._text):
            start, end = found.span()
            if not _INSIDE.match(self._text, end) and not (start and _INSIDE.match(self._text, start - 1)):
                table[bisect_right(self._ends, start) + 1] = 1
        return table

    @cached_property
    def _texts(self) -> list[str]:
        return [_text(value).lower() for value in self.values]

    @cached_property
    def _text(self) -> str:
        return "\n".join(self._texts)

    @cached_property
    def _ends(self) -> list[int]:
        """Where each value's text and its separator end."""
        return list(accumulate(len(text) + 1 for text in self._texts))


_INSIDE = re.compile(r"[^\W_]")
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


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return " ".join(item for item in value if isinstance(item, str)) if isinstance(value, list) else ""


class Stored(msgspec.Struct, array_like=True):
    """How a column is stored: bytes of its two parts, bytes a code, and whether the values are times."""

    codes: int
    values: int
    width: int
    times: bool


def key(value: Any) -> Any:
    """A value in the form in which it is stored: hashable, times as milliseconds."""
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MILLISECOND
    return tuple(value) if isinstance(value, list) else value


def pack(keys: Sequence[Any], *, times: bool) -> tuple[Stored, bytes]:
    """A column in the form in which it is stored, from the key (None: no value) of each row."""
    different: list[Any] = sorted(set(keys) - {None}, key=_rank_of_key)
    code = dict(zip([None, *different], range(len(different) + 1), strict=True))
    numbers = map(code.__getitem__, keys)
    width = 1 if len(code) <= _BYTE else 2 if len(code) <= _SHORT else 4
    codes = bytes(numbers) if width == 1 else array(_TYPES[width], numbers).tobytes()
    parts = zlib.compress(codes, 1), zlib.compress(msgspec.json.encode(different), 1)
    return Stored(len(parts[0]), len(parts[1]), width, times), b"".join(parts)


_TYPES = {2: "H", 4: "I"}


def _rank_of_key(key: Any) -> Rank:
    return rank(list(key) if isinstance(key, tuple) else key)


def unpack(stored: Stored, data: bytes) -> Column:
    """The column of a stored form."""
    codes: Codes = zlib.decompress(data[: stored.codes])
    if stored.width > 1:
        codes = array(_TYPES[stored.width], codes)
    values = data[stored.codes :]
    return Column(codes, lambda: zlib.decompress(values), times=stored.times)

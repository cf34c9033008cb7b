"""Which devices a query finds, and in which order (``docs/behaviour.md#matching``).

Comparisons are by type: ``"4"`` is not ``4``, and no value is less or greater than a value of another type. A list
matches if any of its items does. ``$ne``, ``$nin`` and ``$ltne`` also match devices without the attribute.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from msgspec.structs import replace

from chalicelib import times
from chalicelib.inventory.rules.attributes import SYSTEM, as_searched

if TYPE_CHECKING:
    from chalicelib.inventory.rules.device import Device
    from chalicelib.inventory.rules.patterns import Pattern


class Options(msgspec.Struct, frozen=True):
    """The values of ``$in`` and ``$nin`` by type. A lookup costs the same for any number of values."""

    scalars: frozenset[Any]
    flags: frozenset[bool]
    times: frozenset[datetime]
    lists: frozenset[tuple[Any, ...]]

    def hold(self, stored: Any) -> bool:
        """Whether a stored value, or an item of it, is among them."""
        if isinstance(stored, list):
            return tuple(stored) in self.lists or any(item in self.scalars for item in stored)
        if isinstance(stored, bool):
            return stored in self.flags
        return stored in (self.times if isinstance(stored, datetime) else self.scalars)


def options(given: list[Any]) -> Options:
    """``given`` by type, without values that no attribute can have."""
    given = as_searched(given)
    moments = (item if isinstance(item, datetime) else parse_time(item) for item in given)
    return Options(
        frozenset(item for item in given if isinstance(item, str) or is_number(item)),
        frozenset(item for item in given if isinstance(item, bool)),
        frozenset(time for time in moments if time is not None),
        frozenset(tuple(item) for item in given if isinstance(item, list) and not any(map(_nested, item))),
    )


def _nested(item: Any) -> bool:
    return isinstance(item, list | dict)


class Predicate(msgspec.Struct, frozen=True):
    """One condition. The code that creates it has checked ``value``.

    For ``$regex`` it is a compiled pattern, for ``$in`` and ``$nin`` :class:`Options`.
    """

    scope: str
    attribute: str
    operator: str
    value: Any


class SortKey(msgspec.Struct, frozen=True):
    """One attribute to sort by. Devices without it come first, or last when descending."""

    scope: str
    attribute: str
    descending: bool


class Query(msgspec.Struct, frozen=True):
    """A search: all ``predicates`` hold, the id is in ``ids`` (None: any), and each term of ``text`` occurs."""

    predicates: tuple[Predicate, ...] = ()
    sort: tuple[SortKey, ...] = ()
    ids: frozenset[str] | None = None
    text: str = ""

    def within(self, groups: frozenset[str] | None) -> Query:
        """The same query, limited to devices of these static groups (None: no limit).

        The groups become the first condition. Conditions are evaluated in order, and none is evaluated for a device
        that an earlier one excluded, so the time of a search tells nothing about devices outside the user's scope.
        """
        if groups is None:
            return self
        return replace(self, predicates=(Predicate(SYSTEM, "group", "$in", options(list(groups))), *self.predicates))

    @property
    def everything(self) -> bool:
        """Whether this is the plain list."""
        return self == Query()

    @property
    def group(self) -> str | None:
        """The group that all results are in, if the query has such a condition."""
        for predicate in self.predicates:
            if (predicate.scope, predicate.attribute, predicate.operator) == (SYSTEM, "group", "$eq"):
                return predicate.value if isinstance(predicate.value, str) else None
        return None


def matches(device: Device, predicates: Iterable[Predicate]) -> bool:
    """Whether all conditions hold for a device."""
    return all(OPERATORS[item.operator](device.value(item.scope, item.attribute), item.value) for item in predicates)


def _same(stored: Any, wanted: Any) -> bool:
    if isinstance(stored, list) and isinstance(wanted, list):
        return stored == wanted
    pairs = (_comparable(item, wanted) for item in _items(stored))
    return any(pair is not None and pair[0] == pair[1] for pair in pairs)


def _items(stored: Any) -> list[Any]:
    if stored is None:
        return []
    return stored if isinstance(stored, list) else [stored]


def _comparable(stored: Any, wanted: Any) -> tuple[Any, Any] | None:
    """Both values if they have the same type; a time of the server is compared with its text."""
    if isinstance(stored, datetime):
        time = wanted if isinstance(wanted, datetime) else parse_time(wanted)
        return None if time is None else (stored, time)
    for kind in (str, bool):
        if isinstance(stored, kind) and isinstance(wanted, kind):
            return stored, wanted
    if is_number(stored) and is_number(wanted):
        return stored, wanted
    return None


def is_number(value: Any) -> bool:
    """Whether ``value`` is a number; a bool is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def parse_time(text: Any) -> datetime | None:
    """The time in an RFC 3339 text, to the millisecond; None if the text is not one."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    try:
        time = times.read(text)
    except ValueError:
        return None
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def test(stored: Any, wanted: Any) -> bool:
        pairs = (_comparable(item, wanted) for item in _items(stored))
        return any(pair is not None and compare(*pair) for pair in pairs)

    return test


_less = _ordered(operator.lt)


def _in(stored: Any, wanted: Options) -> bool:
    return stored is not None and wanted.hold(stored)


def _found(stored: Any, wanted: Pattern) -> bool:
    return any(isinstance(item, str) and wanted.search(item) for item in _items(stored))


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _same,
    "$exists": lambda stored, wanted: (stored is not None) is wanted,
    "$gt": _ordered(operator.gt),
    "$gte": _ordered(operator.ge),
    "$in": _in,
    "$lt": _less,
    "$lte": _ordered(operator.le),
    "$ltne": lambda stored, wanted: stored is None or _less(stored, wanted),
    "$ne": lambda stored, wanted: not _same(stored, wanted),
    "$nin": lambda stored, wanted: not _in(stored, wanted),
    "$regex": _found,
}
"""The operators, as functions of a stored value (None: the device has none) and the value of the predicate."""

PREFIX = "$prefix"
"""Internal: clients use ``$regex``."""

OPERATORS[PREFIX] = lambda stored, wanted: any(
    isinstance(item, str) and item.startswith(wanted) for item in _items(stored)
)


Rank: TypeAlias = tuple[int, Any, tuple[Any, ...]]


def rank(value: Any) -> Rank:
    """A sort key for values of all types: none, numbers, text, booleans, times.

    A list is sorted by its least item, after that item itself, so values with equal ranks are equal.
    """
    if isinstance(value, list):
        items = tuple(map(rank, value))
        return (*min(items, default=_EMPTY)[:2], items)
    if is_number(value):
        return 1, value, ()
    if isinstance(value, str):
        return 2, value, ()
    if isinstance(value, bool):
        return 3, value, ()
    return (4, value, ()) if isinstance(value, datetime) else _NONE


_NONE: Rank = (0, 0, ())
_EMPTY: Rank = (0, 1, ())

"""Which devices a query finds, and in which order (behaviour notes C, "Matching semantics").

Comparisons are by type: ``"4"`` is not ``4``, and nothing is below or above something of another type. An attribute
that is a list matches when any of its items does. ``$ne`` and ``$nin`` also match devices without the attribute.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from chalicelib.inventory.rules.attributes import IDENTITY, INVENTORY, SYSTEM, TAGS

if TYPE_CHECKING:
    from chalicelib.inventory.rules.device import Device
    from chalicelib.inventory.rules.patterns import Pattern


@dataclass(frozen=True, slots=True)
class Predicate:
    """One condition. ``value`` is checked by whoever made it; for ``$regex`` it is a compiled pattern."""

    scope: str
    attribute: str
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class SortKey:
    """One attribute to sort by. Devices without it come first, or last when descending."""

    scope: str
    attribute: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: all ``predicates`` hold, the id is in ``ids`` (None: any), a word of ``text`` occurs."""

    predicates: tuple[Predicate, ...] = ()
    sort: tuple[SortKey, ...] = ()
    ids: frozenset[str] | None = None
    text: str = ""

    @property
    def everything(self) -> bool:
        """Whether this is the plain list."""
        return self == Query()

    @property
    def group(self) -> str | None:
        """The one group that all results are in, if the query says so."""
        for predicate in self.predicates:
            if (predicate.scope, predicate.attribute, predicate.operator) == (SYSTEM, "group", "$eq"):
                return predicate.value if isinstance(predicate.value, str) else None
        return None


def select(devices: Iterable[Device], query: Query) -> list[Device]:
    """The devices that the query finds, in its order; by id where it names none."""
    wanted = devices if query.ids is None else (device for device in devices if device.id in query.ids)
    found = [device for device in wanted if matches(device, query.predicates)]
    found.sort(key=lambda device: device.id)
    # From the last key to the first: each sort is stable, so earlier keys weigh more.
    for key in reversed(query.sort):
        found.sort(key=lambda device: _rank(device.value(key.scope, key.attribute)), reverse=key.descending)
    words = _words(query.text)
    if words:
        scores = {device.id: len(words & _words_of(device)) for device in found}
        found = [device for device in found if scores[device.id]]
        found.sort(key=lambda device: -scores[device.id])
    return found


def matches(device: Device, predicates: Iterable[Predicate]) -> bool:
    """Whether all conditions hold for a device."""
    return all(_OPERATORS[item.operator](device.value(item.scope, item.attribute), item.value) for item in predicates)


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
    """Both values if they are of one type; a time of the server's own compares with its text."""
    if isinstance(stored, datetime):
        time = wanted if isinstance(wanted, datetime) else parse_time(wanted)
        return None if time is None else (stored, time)
    if isinstance(stored, str) and isinstance(wanted, str):
        return stored, wanted
    if is_number(stored) and is_number(wanted):
        return stored, wanted
    return None


def is_number(value: Any) -> bool:
    """Whether ``value`` is a number, which a bool is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def parse_time(text: Any) -> datetime | None:
    """The time that an RFC 3339 text names, to the millisecond; None if it is no such text."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    try:
        time = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def test(stored: Any, wanted: Any) -> bool:
        pairs = (_comparable(item, wanted) for item in _items(stored))
        return any(pair is not None and compare(*pair) for pair in pairs)

    return test


_less = _ordered(operator.lt)


def _in(stored: Any, wanted: list[Any]) -> bool:
    return any(_same(stored, item) for item in wanted)


def _found(stored: Any, wanted: Pattern) -> bool:
    return any(isinstance(item, str) and wanted.search(item) for item in _items(stored))


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
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

OPERATORS = frozenset(_OPERATORS)
"""What a predicate may do."""


def _rank(value: Any) -> tuple[int, Any]:
    """A key under which values of different types sort: none, numbers, text, times. Of a list, the least counts."""
    if isinstance(value, list):
        return min(map(_rank, value), default=(0, 0))
    if is_number(value):
        return 1, value
    if isinstance(value, str):
        return 2, value
    return (3, value) if isinstance(value, datetime) else (0, 0)


_WORD = re.compile(r"[^\W_]+")


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _words_of(device: Device) -> set[str]:
    words = _words(f"{device.id} {device.group or ''}")
    for scope in (IDENTITY, INVENTORY, TAGS):
        for stored in device.scope(scope).values():
            for item in _items(stored[0]):
                if isinstance(item, str):
                    words |= _words(item)
    return words

"""Rules of DynamoDB's typed values and keys, and the known schemas of tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, Final

from tests.support.probe import size
from tests.support.strict.models import Complain
from tests.support.strict.rules import Rule

_LARGEST, _SMALLEST = Decimal("9.9999999999999999999999999999999999999E+125"), Decimal("1E-130")
_DIGITS: Final = 38
_DEPTH: Final = 32
_KEY_BYTES: Final = (2048, 1024)


class Values:
    """The rules of typed values. ``seen`` collects the types, with the names of :mod:`applied`."""

    def __init__(self, seen: set[str]) -> None:
        self._seen = seen

    def check(self, value: Any, path: str, complain: Complain, depth: int = 1) -> None:
        """Check a typed value."""
        if (type(value) is not dict and not isinstance(value, Mapping)) or len(value) != 1:
            complain(f"{path[:-1]} is {value!r:.80}", Rule.VALUE_TYPE)
            return
        ((kind, held),) = value.items()
        self._seen.add(f"type {kind}")
        if kind == "S":
            if not isinstance(held, str):
                complain(f"{path}S is {held!r:.80}", Rule.VALUE_TYPE)
        elif kind == "N":
            _number(held, path, complain)
        elif kind == "B":
            if not isinstance(held, bytes | bytearray | memoryview | str):
                complain(f"{path}B is {held!r:.80}", Rule.VALUE_TYPE)
        elif kind in {"SS", "NS", "BS"}:
            self._set(kind, held, path, complain, depth)
        elif kind in {"M", "L"}:
            self._document(kind, held, path, complain, depth)
        elif not (kind == "BOOL" and isinstance(held, bool)) and not (kind == "NULL" and held is True):
            complain(f"{path}{kind} is {held!r:.80}", Rule.VALUE_TYPE)

    def _set(self, kind: str, held: Any, path: str, complain: Complain, depth: int) -> None:
        if not isinstance(held, list | tuple | set | frozenset) or not held:
            complain(f"{path}{kind} is {held!r:.80}", Rule.EMPTY_SET)
            return
        for each in held:
            self.check({kind[0]: each}, f"{path}{kind}.", complain, depth)
        if len({Decimal(each) if kind == "NS" and _is_number(each) else each for each in held}) != len(held):
            complain(f"{path}{kind} holds a value twice", Rule.EMPTY_SET)

    def _document(self, kind: str, held: Any, path: str, complain: Complain, depth: int) -> None:
        if not isinstance(held, Mapping if kind == "M" else list | tuple):
            complain(f"{path}{kind} is {held!r:.80}", Rule.VALUE_TYPE)
            return
        if depth >= _DEPTH and held:
            complain(f"{path[:-1]} is more than {_DEPTH} deep", Rule.DEPTH)
            return
        for name, inner in held.items() if isinstance(held, Mapping) else enumerate(held):
            self.check(inner, f"{path}{name}.", complain, depth + 1)


def _number(held: Any, path: str, complain: Complain) -> None:
    if not isinstance(held, str):
        complain(f"{path}N is {held!r:.80}; numbers are sent as text", Rule.VALUE_TYPE)
        return
    if len(held) < _DIGITS and held.removeprefix("-").isdecimal():
        return  # nearly all
    try:
        number = Decimal(held)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        complain(f"{path}N is {held!r:.80}", Rule.VALUE_TYPE)
        return
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if len(digits) > _DIGITS or (number and not _SMALLEST <= abs(number) <= _LARGEST):
        complain(f"{path}N is {held!r:.80}", Rule.NUMBER)


def _is_number(text: Any) -> bool:
    try:
        return Decimal(text).is_finite()
    except (InvalidOperation, TypeError):
        return False


def item_size(item: Mapping[str, Any]) -> int:
    """The size of attributes in bytes, including names; 0 if a value is malformed, which another rule reports."""
    try:
        return size(dict(item))
    except (AttributeError, TypeError, ValueError):
        return 0


@dataclass(frozen=True)
class Index:
    """An index. ``projected``: its attributes; None: all."""

    keys: tuple[str, ...]
    projected: frozenset[str] | None
    is_global: bool


@dataclass(frozen=True)
class Schema:
    """A table's keys, the types of key attributes, its indexes."""

    keys: tuple[str, ...]
    types: dict[str, str]
    indexes: dict[str, Index] = field(default_factory=dict)

    @cached_property
    def index_keys(self) -> frozenset[str]:
        """The attributes that are keys of indexes, and not of the table."""
        return frozenset(key for index in self.indexes.values() for key in index.keys) - set(self.keys)


def schema(created: dict[str, Any]) -> Schema:
    """The schema in a table's description or in the request that creates it."""
    keys = _keys(created["KeySchema"])
    indexes = {
        about["IndexName"]: _index(about, keys, is_global=kind == "GlobalSecondaryIndexes")
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
        for about in created.get(kind) or ()
    }
    types = {each["AttributeName"]: each["AttributeType"] for each in created["AttributeDefinitions"]}
    return Schema(keys, types, indexes)


def _keys(about: list[dict[str, str]]) -> tuple[str, ...]:
    return tuple(each["AttributeName"] for each in sorted(about, key=lambda each: each["KeyType"] != "HASH"))


def _index(about: dict[str, Any], table: tuple[str, ...], *, is_global: bool) -> Index:
    keys, projection = _keys(about["KeySchema"]), about.get("Projection", {})
    projected = None
    if projection.get("ProjectionType", "ALL") != "ALL":
        projected = frozenset((*keys, *table, *projection.get("NonKeyAttributes", ())))
    return Index(keys, projected, is_global)


def with_index(known: Schema, updated: dict[str, Any]) -> Schema:
    """The table after a request that updates it."""
    indexes, types = dict(known.indexes), dict(known.types)
    types |= {each["AttributeName"]: each["AttributeType"] for each in updated.get("AttributeDefinitions", ())}
    for change in updated.get("GlobalSecondaryIndexUpdates", ()):
        if created := change.get("Create"):
            indexes[created["IndexName"]] = _index(created, known.keys, is_global=True)
        if deleted := change.get("Delete"):
            indexes.pop(deleted["IndexName"], None)
    return Schema(known.keys, types, indexes)


def check_key(key: Any, about: Schema, names: tuple[str, ...], path: str, complain: Complain) -> None:
    """Check that a key has exactly these attributes."""
    if not isinstance(key, Mapping):
        return  # the model's rule reports it
    if set(key) != set(names):
        complain(f"{path} has {sorted(key)}, and should have {sorted(names)}", Rule.KEY_ATTRIBUTES)
    check_key_values(key, about, path, complain)


def check_key_values(item: Mapping[str, Any], about: Schema, path: str, complain: Complain) -> None:
    """Check types and sizes of the key attributes in ``item``."""
    for name, longest in zip(about.keys, _KEY_BYTES, strict=False):
        if isinstance(value := item.get(name), Mapping):
            _key_value(value, about.types[name], longest, f"{path}.{name}", complain, of_index=False)
    for name in about.index_keys & item.keys():
        if isinstance(value := item[name], Mapping):
            check_index_key(name, value, about, path, complain)


def check_index_key(name: str, value: Mapping[str, Any], about: Schema, path: str, complain: Complain) -> None:
    """Check type and size of an attribute that is an index's key."""
    first = any(index.keys[0] == name for index in about.indexes.values())
    _key_value(value, about.types[name], _KEY_BYTES[not first], f"{path}.{name}", complain, of_index=True)


def _key_value(
    value: Mapping[str, Any], kind: str, longest: int, path: str, complain: Complain, *, of_index: bool
) -> None:
    held = value.get(kind)
    if held is None:
        complain(
            f"{path} is {value!r:.80}, and should be of type {kind}",
            Rule.INDEX_KEY if of_index else Rule.KEY_ATTRIBUTES,
        )
    elif kind != "N":
        amount = len(held.encode() if isinstance(held, str) else bytes(held))
        if not amount:
            complain(f"{path} is empty", Rule.INDEX_KEY if of_index else Rule.KEY_EMPTY)
        elif amount > longest:
            complain(f"{path} has {amount} bytes", Rule.KEY_SIZE)

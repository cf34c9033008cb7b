"""The expressions of one request, with the names and values that come with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tests.support.strict.expressions import Operand, Parsed, PathParts, Term, parse
from tests.support.strict.models import Complain
from tests.support.strict.rules import Rule
from tests.support.strict.values import Schema, check_index_key, item_size

_SIZE: Final = 4096
_VALUES: Final = 2 * 1024 * 1024
_OPERATORS: Final = 300
_ORDERED: Final = frozenset({"S", "N", "B"})
_SETS: Final = frozenset({"SS", "NS", "BS"})
_OPERANDS: Final[dict[str, tuple[int, frozenset[str]]]] = {
    **dict.fromkeys(("<", "<=", ">", ">=", "BETWEEN"), (0, _ORDERED)),
    "begins_with": (1, frozenset({"S", "B"})),
    "attribute_type": (1, frozenset({"S"})),
    "ADD": (1, _SETS | {"N"}),
    "DELETE": (1, _SETS),
}
"""The types that operators accept, and from which operand on."""
_SORTED_BY: Final = frozenset({"=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"})


class Expressions:
    """The parsed expressions of a request."""

    def __init__(self, request: Mapping[str, Any], given: dict[str, Any], complain: Complain) -> None:
        """``given``: the expressions by parameter, without empty ones."""
        self._complain = complain
        self._names: Mapping[str, str] = request.get("ExpressionAttributeNames") or {}
        self._values: Mapping[str, Any] = request.get("ExpressionAttributeValues") or {}
        self._request = request
        self._texts = {kind: text for kind, text in given.items() if isinstance(text, str)}
        self._parsed: dict[str, Parsed] = {kind: parse(kind, text) for kind, text in self._texts.items()}

    @property
    def kinds(self) -> frozenset[str]:
        """Their operators, with the names of :mod:`applied`."""
        return frozenset().union(*(parsed.kinds for parsed in self._parsed.values()))

    def check(self, table: Schema | None) -> None:
        """Check the expressions against the common rules, and those of updates."""
        if self._values and len(repr(self._values)) > _VALUES and item_size(self._values) > _VALUES:
            self._complain(f"the values have {item_size(self._values)} bytes", Rule.EXPRESSION_SIZE)
        for kind, text in self._texts.items():
            if len(text.encode()) > _SIZE or self._parsed[kind].operators > _OPERATORS:
                self._complain(f"{kind} has {len(text)} characters", Rule.EXPRESSION_SIZE)
            for rule, detail in self._parsed[kind].wrong:
                self._complain(detail, rule)
        self._placeholders()
        for kind, parsed in self._parsed.items():
            for term in parsed.terms:
                self._term(kind, term)
        if "UpdateExpression" in self._parsed:
            self._update(self._parsed["UpdateExpression"], table)
        if "ProjectionExpression" in self._parsed:
            paths = self._parsed["ProjectionExpression"].paths
            if twice := _overlapping(map(self._resolved, paths)):
                self._complain(twice, Rule.PROJECTION_OVERLAP)

    def _placeholders(self) -> None:
        for parameter, sign, given, used, undefined, unused in (
            ("Names", "#", self._names, self._used("names"), Rule.NAME_UNDEFINED, Rule.NAME_UNUSED),
            ("Values", ":", self._values, self._used("values"), Rule.VALUE_UNDEFINED, Rule.VALUE_UNUSED),
        ):
            name = f"ExpressionAttribute{parameter}"
            if name in self._request and not given:
                self._complain(f"{name} is {self._request[name]!r}", Rule.PLACEHOLDERS)
            if given.keys() == used:
                continue
            if strange := [each for each in given if not each.startswith(sign)]:
                self._complain(f"{name} has {strange}", Rule.PLACEHOLDERS)
            if missing := used - given.keys():
                self._complain(f"{sorted(missing)} of {self._texts}", undefined)
            if (more := given.keys() - used) and not any(parsed.wrong for parsed in self._parsed.values()):
                self._complain(f"{sorted(more)}, in {self._texts}", unused)

    def _used(self, what: str) -> set[str]:
        found: set[str] = set()
        for parsed in self._parsed.values():
            found |= getattr(parsed, what)
        return found

    def _resolved(self, path: PathParts) -> PathParts:
        return tuple(self._names.get(part, part) if isinstance(part, str) else part for part in path)

    def _type(self, operand: Operand) -> str:
        """The type of a value; ``N`` of a size; empty if unknown."""
        if operand.kind == "size":
            return "N"
        value = self._values.get(operand.value)
        return next(iter(value), "") if operand.kind == "value" and isinstance(value, Mapping) else ""

    # Single terms.

    def _term(self, kind: str, term: Term) -> None:
        operator, operands = term.operator, term.operands
        if operator in _OPERANDS:
            first, allowed = _OPERANDS[operator]
            self._types(operator, operands[first:], allowed)
        if operator == "BETWEEN":
            self._between(operands[1], operands[2])
        if operator == "contains" and operands[0] == operands[1]:
            self._complain(f"contains of twice the same in {kind}", Rule.SAME_OPERAND)
        if operator in {"ADD", "DELETE"} and len(operands[0].path) > 1:
            self._complain(f"{operator} changes {self._resolved(operands[0].path)}", Rule.UPDATE_TOP_LEVEL)
        if any(each.kind in {"+", "-"} for each in operands):
            self._types("+ and -", operands[1:], frozenset({"N"}))
        for operand in operands:
            if operand.kind == "list_append":
                self._types("list_append", operand.inner, frozenset({"L"}))

    def _types(self, operator: str, operands: Iterable[Operand], allowed: frozenset[str]) -> None:
        for operand in operands:
            kind = self._type(operand)
            if kind and kind not in allowed:
                self._complain(f"{operator} with an operand of type {kind}", Rule.OPERAND_TYPE)

    def _between(self, low: Operand, high: Operand) -> None:
        kinds = self._type(low), self._type(high)
        if "" in kinds or low.kind != "value" or high.kind != "value":
            return
        if kinds[0] != kinds[1]:
            self._complain(f"BETWEEN a {kinds[0]} and a {kinds[1]}", Rule.BETWEEN)
            return
        bounds = [self._values[each.value][kinds[0]] for each in (low, high)]
        if kinds[0] == "N":
            bounds = [float(each) for each in bounds]
        elif kinds[0] == "S":
            bounds = [each.encode() for each in bounds]
        if bounds[0] > bounds[1]:
            self._complain(f"BETWEEN {bounds[0]!r} AND {bounds[1]!r}", Rule.BETWEEN)

    # Updates.

    def _update(self, update: Parsed, table: Schema | None) -> None:
        targets = [self._resolved(term.operands[0].path) for term in update.terms]
        if twice := _overlapping(targets):
            self._complain(twice, Rule.UPDATE_OVERLAP)
        if table is None:
            return
        if keys := {str(target[0]) for target in targets} & set(table.keys):
            self._complain(f"it changes {sorted(keys)}", Rule.UPDATE_KEY)
        for term, target in zip(update.terms, targets, strict=True):
            name = str(target[0])
            if name not in table.index_keys or term.operator == "REMOVE":
                continue
            if len(target) > 1:
                self._complain(f"it changes {target}, which is within the key of an index", Rule.INDEX_KEY)
            elif len(term.operands) == 2 and term.operands[1].kind == "value":
                value = self._values.get(term.operands[1].value)
                if isinstance(value, Mapping):
                    check_index_key(name, value, table, "the update", self._complain)

    # Queries.

    def check_key_condition(self, keys: tuple[str, ...], table: Schema) -> None:
        """Check a query's condition on ``keys``, those of the table or the queried index."""
        parsed = self._parsed.get("KeyConditionExpression")
        if parsed is None or parsed.wrong:
            return
        text = self._texts["KeyConditionExpression"]
        by_name = {self._resolved(term.operands[0].path): term for term in parsed.terms}
        names = {path[0] for path in by_name if path}
        first = by_name.get((keys[0],))
        if not parsed.only_and or len(by_name) != len(parsed.terms) or not names <= set(keys):
            self._complain(f"{text!r} names {sorted(map(str, names))} of {keys}", Rule.KEY_CONDITION)
        elif first is None or first.operator != "=":
            self._complain(f"{text!r} does not name {keys[0]} by =", Rule.KEY_CONDITION)
        elif any(term.operator not in _SORTED_BY for term in parsed.terms):
            self._complain(f"{text!r} compares in another way than a key can be", Rule.KEY_CONDITION)
        else:
            self._key_types(by_name, table)
        filtered = self._parsed.get("FilterExpression", Parsed())
        if named := {str(self._resolved(path)[0]) for path in filtered.paths} & set(keys):
            self._complain(f"the filter names {sorted(named)}", Rule.FILTER_KEY)

    def _key_types(self, by_name: dict[PathParts, Term], table: Schema) -> None:
        for path, term in by_name.items():
            for operand in term.operands[1:]:
                kind = self._type(operand)
                value = self._values.get(operand.value)
                if kind and kind != table.types[str(path[0])]:
                    self._complain(f"{path[0]} is compared with a value of type {kind}", Rule.KEY_CONDITION)
                elif isinstance(value, Mapping) and kind in {"S", "B"} and not value[kind]:
                    self._complain(f"{path[0]} is compared with an empty value", Rule.KEY_EMPTY)

    def check_projected(self, projected: frozenset[str], index: str) -> None:
        """Check that an index has all attributes that a query reads or filters by."""
        for kind in ("ProjectionExpression", "FilterExpression"):
            if (parsed := self._parsed.get(kind)) is None:
                continue
            if missing := {str(self._resolved(path)[0]) for path in parsed.paths} - projected:
                self._complain(
                    f"{kind} names {sorted(missing)}, which index {index} does not have", Rule.INDEX_PROJECTION
                )


def _overlapping(paths: Iterable[PathParts]) -> str:
    """Two paths that are equal or overlap; empty if there are none."""
    known: list[PathParts] = []
    for path in paths:
        for other in known:
            if path[: len(other)] == other[: len(path)]:
                return f"{path} and {other} overlap"
        known.append(path)
    return ""

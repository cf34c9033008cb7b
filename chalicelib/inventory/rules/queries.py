"""Parses searches into a :class:`~chalicelib.inventory.rules.matching.Query` (``docs/behaviour.md#searches``)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import limits
from chalicelib.errors import BadRequest
from chalicelib.inventory.rules import matching, patterns, texts
from chalicelib.inventory.rules.attributes import IDENTITY, INVENTORY, SCOPES, SYSTEM, TAGS, as_searched
from chalicelib.inventory.rules.matching import Predicate, Query, SortKey

if TYPE_CHECKING:
    from chalicelib.inventory.shapes import FilterDefinition, IdentitySearch, Selected, Sort, Term

_OWN = frozenset({"page", "per_page", "sort", "has_group", "group"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_BOOLEANS = {"true": True, "false": False}
_FLAGS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}


def of_list(params: Mapping[str, list[str]]) -> Query:
    """The query of the v1 list: every parameter that the list does not define is ``scope/name=value``.

    Raises:
        BadRequest: there are too many filters, or a direction or a boolean is not valid.
    """
    predicates = [
        Predicate(*_place(key), "$in", matching.options(_readings(value.removeprefix("eq:"))))
        for key, values in params.items()
        if key not in _OWN
        for value in values
    ]
    if len(predicates) > limits.FILTER_TERMS:
        raise BadRequest(f"too many filters (max: {limits.FILTER_TERMS})")
    predicates += [Predicate(SYSTEM, "group", "$eq", group) for group in params.get("group", [])[:1]]
    for text in params.get("has_group", [])[:1]:
        flag = _FLAGS.get(text.lower())
        if flag is None:
            raise BadRequest(f'invalid has_group query: "{text[:32]}"')
        predicates.append(Predicate(SYSTEM, "group", "$exists", flag))
    # Of repeated parameters only the first counts.
    keys = ",".join(params.get("sort", [])[:1]).split(",")
    sort = tuple(_sort_key(text) for text in keys[: limits.SEARCH_SORT] if text)
    return Query(tuple(predicates), sort)


def _place(text: str) -> tuple[str, str]:
    scope, slash, name = text.partition("/")
    return (scope, name) if slash else (INVENTORY, text)


def _readings(text: str) -> list[Any]:
    """The possible meanings of a value: text, and the number, boolean or time that it spells."""
    readings: list[Any] = [text]
    if _NUMBER.fullmatch(text):
        readings.append(float(text))
    if text in _BOOLEANS:
        readings.append(_BOOLEANS[text])
    time = matching.parse_time(text)
    return [*readings, time] if time is not None else readings


def _sort_key(text: str) -> SortKey:
    place, _, direction = text.partition(":")
    # Without a direction: descending.
    if direction not in {"", "asc", "desc"}:
        raise BadRequest("invalid sort order")
    return SortKey(*_place(place), descending=direction != "asc")


def of_search(filters: Sequence[Term], sort: list[Sort], ids: list[str] | None, text: str) -> Query:
    """The query of a v2 search.

    Raises:
        BadRequest: a part is missing, unknown, or of a type that its operator does not take.
    """
    if len(text) > limits.SEARCH_TEXT:
        raise BadRequest(f"validation failed: text: too long (max: {limits.SEARCH_TEXT})")
    if len(texts.terms(text)) > limits.SEARCH_TERMS:
        raise BadRequest(f"validation failed: text: too many terms (max: {limits.SEARCH_TERMS})")
    if ids and len(ids) > limits.DEVICE_IDS:
        raise BadRequest(f"validation failed: device_ids: too many (max: {limits.DEVICE_IDS})")
    if len(sort) > limits.SEARCH_SORT:
        raise BadRequest(f"validation failed: sort: too many (max: {limits.SEARCH_SORT})")
    return Query(
        predicates=predicates(filters),
        sort=tuple(map(_search_key, sort)),
        ids=frozenset(ids) if ids else None,
        text=text,
    )


def predicates(terms: Sequence[Term]) -> tuple[Predicate, ...]:
    """The conditions of ``terms``.

    Raises:
        BadRequest: there are too many, or a part is missing, unknown, or of a type that its operator does not take.
    """
    if len(terms) > limits.FILTER_TERMS:
        raise BadRequest(f"validation failed: there are too many filters (max: {limits.FILTER_TERMS})")
    return tuple(map(_predicate, terms))


def check_definition(given: FilterDefinition) -> None:
    """Check the definition of a filter.

    Raises:
        BadRequest: its name is missing or too long, a term is not valid, or it is too large.
    """
    if not given.name.strip():
        raise BadRequest("validation failed: name: cannot be blank")
    if len(given.name) > limits.FILTER_NAME:
        raise BadRequest(f"validation failed: name: the length must be between 1 and {limits.FILTER_NAME}")
    predicates(given.terms or [])
    if len(msgspec.json.encode(given.terms)) > limits.FILTER_SIZE:
        raise BadRequest(f"validation failed: terms: too large (max: {limits.FILTER_SIZE} bytes)")


def of_identity(given: IdentitySearch) -> Query:
    """The query for devices whose identity begins with a text, by id.

    Raises:
        BadRequest: scope, name or text are missing, or the scope is not allowed.
    """
    if given.scope not in {IDENTITY, TAGS}:
        raise BadRequest("validation failed: scope: must be a valid value")
    if not given.name:
        raise BadRequest("validation failed: name: cannot be blank")
    if given.value_prefix is None:
        raise BadRequest("validation failed: value_prefix: cannot be blank")
    return Query((Predicate(given.scope, given.name, matching.PREFIX, given.value_prefix),))


def _predicate(given: Term) -> Predicate:
    scope, name = _checked(given.scope, given.attribute)
    if given.type not in matching.OPERATORS or given.type == matching.PREFIX:
        raise BadRequest(f"validation failed: type: must be a valid value: {given.type[:32]}")
    if given.value is None:
        raise BadRequest("validation failed: value: cannot be blank")
    return Predicate(scope, name, given.type, _operand(given.type, given.value))


def _operand(operator: str, value: Any) -> Any:
    if operator in {"$in", "$nin"}:
        if not isinstance(value, list):
            raise BadRequest(f"filter {operator} requires an array")
        return matching.options(value)
    if operator == "$exists" and not isinstance(value, bool):
        raise BadRequest("filter $exists requires a boolean")
    if operator == "$regex":
        if not isinstance(value, str):
            raise BadRequest("filter $regex requires a string")
        return patterns.of_filter(value)
    return as_searched(value)


def _search_key(given: Sort) -> SortKey:
    scope, name = _checked(given.scope, given.attribute)
    if given.order not in {"asc", "desc"}:
        raise BadRequest("validation failed: order: must be a valid value")
    return SortKey(scope, name, descending=given.order == "desc")


def selected(given: list[Selected]) -> frozenset[tuple[str, str]] | None:
    """The attributes to return, by scope and name; None for all.

    Raises:
        BadRequest: one has no name or no known scope.
    """
    return frozenset(_checked(item.scope, item.attribute) for item in given) if given else None


def _checked(scope: str, attribute: str) -> tuple[str, str]:
    if scope not in SCOPES:
        raise BadRequest("validation failed: scope: must be a valid value")
    if not attribute:
        raise BadRequest("validation failed: attribute: cannot be blank")
    return scope, attribute

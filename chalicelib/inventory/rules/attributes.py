"""Attributes: which are valid, how writes merge, and when nothing has changed (``docs/behaviour.md#attributes``).

An attribute is stored as ``[value]``, ``[value, description]`` or ``[value, description, timestamp]`` under its
scope and name.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from chalicelib import limits
from chalicelib.errors import BadRequest

if TYPE_CHECKING:
    from chalicelib.inventory.shapes import AttributeInput

Stored: TypeAlias = list[Any]
Scope: TypeAlias = dict[str, Stored]

IDENTITY, INVENTORY, MONITOR, SYSTEM, TAGS = "identity", "inventory", "monitor", "system", "tags"
SCOPES = (IDENTITY, INVENTORY, MONITOR, SYSTEM, TAGS)

_BAD_TYPE = "supported types are string, float64, and arrays thereof"
_MIXED = "array values must be of consistent type: string or float64"
_EXACT_INTEGERS = 2.0**53


def value_of(value: Any) -> Any:
    """``value`` as it is stored: a string, a number, or a list of either; whole numbers as ``int``.

    Raises:
        BadRequest: it is something else, or too large.
    """
    if isinstance(value, list):
        items = [_scalar(item) for item in value]
        if len({isinstance(item, str) for item in items}) > 1:
            raise BadRequest(_MIXED)
        value = items
    else:
        value = _scalar(value)
    if len(msgspec.json.encode(value)) > limits.ATTRIBUTE_VALUE:
        raise BadRequest(f"the value of an attribute is too large (max: {limits.ATTRIBUTE_VALUE} bytes)")
    return value


def _scalar(value: Any) -> str | int | float:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequest(_BAD_TYPE)
    if math.isinf(as_searched(value)):
        raise BadRequest("a number is out of range")
    # Clients take 42.0 and 42 for the same number, so their hashes must be the same.
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_INTEGERS:
        return int(value)
    return value


def merged(
    current: Scope,
    given: list[AttributeInput],
    *,
    replace: bool,
    most: int,
    timestamp: str | None = None,
) -> Scope:
    """The attributes of a scope after a write.

    Args:
        current: the scope before.
        given: the attributes sent; if a name occurs twice, the last one counts.
        replace: whether attributes that were not sent are removed (PUT) or kept (PATCH).
        most: how many attributes the scope may have.
        timestamp: stored with each attribute sent; None stores none.

    Raises:
        BadRequest: a name or value is not allowed, or there are too many.
    """
    sent = {_name(item): _stored(item, current, timestamp) for item in given}
    result = sent if replace else current | sent
    if len(result) > most:
        raise BadRequest("the number of attributes in the scope is above the limit")
    return result


def _name(item: AttributeInput) -> str:
    if not item.name:
        raise BadRequest("name: cannot be blank")
    if len(item.name) > limits.ATTRIBUTE_NAME:
        raise BadRequest(f"name: the length must be between 1 and {limits.ATTRIBUTE_NAME}")
    return item.name


def _stored(item: AttributeInput, current: Scope, timestamp: str | None) -> Stored:
    description = item.description
    if description is None:
        # A write without a description keeps the present one.
        before = current.get(item.name or "", [])
        description = before[1] if len(before) > 1 else None
    if timestamp is not None:
        return [value_of(item.value), description, timestamp]
    return [value_of(item.value), description] if description is not None else [value_of(item.value)]


def differences(before: Scope, after: Scope) -> str:
    """The values in which two states of a scope differ, as text for people; empty if there are none."""

    def shown(scope: Scope, name: str) -> str:
        return msgspec.json.encode(scope[name][0]).decode() if name in scope else "(none)"

    names = sorted(before.keys() | after.keys())
    told = {name: (shown(before, name), shown(after, name)) for name in names}
    return ", ".join(f"{name}: {was} -> {is_now}" for name, (was, is_now) in told.items() if was != is_now)


def from_identity(members: dict[str, Any]) -> Scope:
    """The identity scope of a new device, by which it can be found.

    Booleans are accepted in addition to what reports may contain. ``status`` belongs to the server, and other types are
    left out.
    """
    scope: Scope = {}
    for name, value in members.items():
        if name == "status" or not 0 < len(name) <= limits.ATTRIBUTE_NAME:
            continue
        try:
            scope[name] = [value if isinstance(value, bool) else value_of(value)]
        except BadRequest:
            continue
    return scope


def as_searched(value: Any) -> Any:
    """``value`` as searches compare it: every number as a float64, as all other readers of JSON see it.

    Identity data is stored in this form (``devauth.rules.identity``). A device that sent a number of 20 digits could
    not be found by it if a search kept more digits.
    """
    if isinstance(value, list):
        return [as_searched(item) for item in value]
    if type(value) is int and not -_EXACT_INTEGERS <= value <= _EXACT_INTEGERS:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return value


def check_size(attributes: dict[str, Scope]) -> None:
    """Check that a device's attributes fit into its item.

    Raises:
        BadRequest: they do not.
    """
    if len(msgspec.json.encode(attributes)) > limits.INVENTORY_ITEM:
        raise BadRequest(f"the attributes are too large (max: {limits.INVENTORY_ITEM} bytes)")


def fingerprint(method: str, day: str, given: list[AttributeInput]) -> str:
    """The hash by which a repeated write of ``given`` is recognised.

    The order of attributes makes no difference, because clients send them in random order. The day does: the first
    report of a day is written even if nothing has changed, so that ``updated_ts`` shows the day of the last report
    (``docs/behaviour.md#attributes``). So does the method, because a PUT may remove what a PATCH keeps.
    """
    content = sorted((item.name or "", item.description or "", msgspec.json.encode(item.value)) for item in given)
    return hashlib.sha256(msgspec.json.encode((method, day, content))).hexdigest()

"""Checks requests against botocore's service models; botocore itself checks only types and some lower limits."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, lru_cache, partial
from typing import Any, Protocol

import botocore.session
from botocore.model import OperationModel, ServiceModel, Shape

from tests.support.strict.rules import Rule


class Complain(Protocol):
    """Records an error."""

    def __call__(self, detail: str, rule: Rule = Rule.MODEL) -> None:
        """The error, and the rule."""


Check = Callable[[Any, str, Complain], None]
"""Checks a value; the text is its path in the request."""

_PAGES = {
    "dynamodb": "amazondynamodb/latest/APIReference/API_",
    "s3": "AmazonS3/latest/API/API_",
    "sqs": "AWSSimpleQueueService/latest/APIReference/API_",
    "ssm": "systems-manager/latest/APIReference/API_",
    "sesv2": "ses/latest/APIReference-V2/API_",
    "cloudformation": "AWSCloudFormation/latest/APIReference/API_",
}


def page(service: str, operation: str) -> str:
    """The page of AWS's documentation for an operation."""
    if service == "apigatewaymanagementapi":
        return "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html"
    if service in _PAGES:
        return f"https://docs.aws.amazon.com/{_PAGES[service]}{operation}.html"
    return f"https://docs.aws.amazon.com/search/doc-search.html?searchQuery={service}+{operation}"


@cache
def service(name: str) -> ServiceModel:
    """A service's model."""
    return botocore.session.Session().get_service_model(name)


@cache
def operation(service_name: str, name: str) -> OperationModel:
    """An operation's model."""
    return service(service_name).operation_model(name)


class Models:
    """The checks of shapes, each created once. ``special`` checks, by the shape's name, replace the model's."""

    def __init__(self, special: Mapping[str, Check] | None = None) -> None:
        self._special = special or {}
        self._checks: dict[tuple[str, str], Check] = {}
        self.members: dict[str, int] = {}
        """The number of members of each structure used so far."""
        self._making = threading.RLock()

    def check(self, service_name: str, name: str, request: Any, complain: Complain) -> None:
        """Check a request against its operation's model."""
        shape = operation(service_name, name).input_shape
        if shape is None:
            if request:
                complain(f"{name} takes no parameters, and has {sorted(request)}")
            return
        self._of(service_name, shape)(request, "", complain)

    def _of(self, service_name: str, shape: Shape) -> Check:
        key = service_name, shape.name
        with self._making:  # many threads send requests, and an incomplete check may refer to itself
            return self._known(service_name, shape, key)

    def _known(self, service_name: str, shape: Shape, key: tuple[str, str]) -> Check:
        if key not in self._checks:
            if shape.name in self._special:
                self._checks[key] = self._special[shape.name]
            else:
                self._checks[key] = partial(self._later, key)  # a shape may contain itself
                self._checks[key] = self._made(service_name, shape)
        return self._checks[key]

    def _later(self, key: tuple[str, str], value: Any, path: str, complain: Complain) -> None:
        self._checks[key](value, path, complain)

    def _made(self, service_name: str, shape: Shape) -> Check:
        if shape.type_name == "structure":
            return self._structure(service_name, shape)
        if shape.type_name == "list":
            return self._list(service_name, shape)
        if shape.type_name == "map":
            return self._map(service_name, shape)
        return _scalar(shape)

    def _structure(self, service_name: str, shape: Any) -> Check:
        members = {name: self._of(service_name, member) for name, member in shape.members.items()}
        required = tuple(shape.required_members)
        union = shape.is_tagged_union
        self.members[f"{service_name}:{shape.name}"] = len(members)

        def check(value: Any, path: str, complain: Complain) -> None:
            if type(value) is not dict and not isinstance(value, Mapping):  # the first is much quicker
                complain(f"{path or 'the request'} is {value!r} and no structure")
                return
            for name in required:
                if value.get(name) is None:
                    complain(f"{path}{name} is required")
            if union and len(value) != 1:
                complain(f"{path or 'the request'} has {sorted(value)}; exactly one member is allowed")
            for name, inner in value.items():
                if name not in members:
                    complain(f"{path}{name} is no member of {shape.name}")
                elif inner is None:
                    complain(f"{path}{name} is null")
                else:
                    members[name](inner, f"{path}{name}.", complain)

        return check

    def _list(self, service_name: str, shape: Any) -> Check:
        member = self._of(service_name, shape.member)
        bounds = _bounds(shape)

        def check(value: Any, path: str, complain: Complain) -> None:
            if not isinstance(value, list | tuple):
                complain(f"{path[:-1]} is {value!r} and no list")
                return
            _measure(len(value), bounds, path, "entries", complain)
            for index, inner in enumerate(value):
                member(inner, f"{path}{index}.", complain)

        return check

    def _map(self, service_name: str, shape: Any) -> Check:
        member, names = self._of(service_name, shape.value), self._of(service_name, shape.key)
        bounds = _bounds(shape)

        def check(value: Any, path: str, complain: Complain) -> None:
            if type(value) is not dict and not isinstance(value, Mapping):  # the first is much quicker
                complain(f"{path[:-1]} is {value!r} and no map")
                return
            _measure(len(value), bounds, path, "entries", complain)
            for name, inner in value.items():
                names(name, f"{path}(name).", complain)
                member(inner, f"{path}{name}.", complain)

        return check


def _bounds(shape: Shape) -> tuple[float, float]:
    return shape.metadata.get("min", float("-inf")), shape.metadata.get("max", float("inf"))


def _measure(amount: float, bounds: tuple[float, float], path: str, what: str, complain: Complain) -> None:
    if not bounds[0] <= amount <= bounds[1]:
        complain(f"{path[:-1]} has {amount} {what}; {bounds[0]} to {bounds[1]} are allowed")


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "timestamp": (datetime, int, float, str),
}


_LONG = 4096
"""Results for texts of at least this many characters are not cached."""


def _scalar(shape: Any) -> Check:
    bounds, enum = _bounds(shape), frozenset(shape.metadata.get("enum", ()))
    pattern = _pattern(shape.metadata.get("pattern"))
    kind = shape.type_name
    if kind == "blob":
        return lambda *_: None

    @lru_cache(maxsize=512)
    def fits(text: str) -> bool:
        return (
            bounds[0] <= len(text) <= bounds[1]
            and (not enum or text in enum)
            and (pattern is None or pattern.search(text) is not None)
        )

    def check(value: Any, path: str, complain: Complain) -> None:
        if kind == "string" and isinstance(value, str) and len(value) < _LONG and fits(value):
            return
        right: bool = isinstance(value, _TYPES[kind])
        if not right or (kind != "boolean" and isinstance(value, bool)):
            complain(f"{path[:-1]} is {value!r} and no {kind}")
            return
        if kind == "string":
            _measure(len(value), bounds, path, "characters", complain)
            if enum and value not in enum:
                complain(f"{path[:-1]} is {value!r}, and not one of {sorted(enum)}")
            if pattern is not None and not pattern.search(value):
                complain(f"{path[:-1]} is {value[:80]!r}, and does not match {pattern.pattern}")
        elif kind in {"integer", "long", "float", "double"} and not bounds[0] <= value <= bounds[1]:
            complain(f"{path[:-1]} is {value}; {bounds[0]} to {bounds[1]} are allowed")

    return check


def _pattern(text: str | None) -> Any:
    """A model's pattern in Java's syntax; the few that Python cannot compile are ignored."""
    if not text:
        return None
    try:
        return re.compile(text if text.startswith("^") else f"^(?:{text})$")
    except re.error:
        return None

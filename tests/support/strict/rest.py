"""Parses HTTP requests of REST protocols (S3, SES, websockets) into the parameters of their operations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree as ET

from tests.support.strict.models import service
from tests.support.strict.rules import Rule

_SIGNING = frozenset(
    {
        "x-amz-algorithm",
        "x-amz-content-sha256",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
    }
)


class NoOperationError(Exception):
    """No operation has such a request. ``operation``: the most similar one."""

    rule = Rule.HTTP

    def __init__(self, detail: str, operation: str) -> None:
        super().__init__(detail)
        self.operation = operation


@dataclass(frozen=True)
class _Operation:
    name: str
    method: str
    path: re.Pattern[str]
    literal: frozenset[str]
    query: Mapping[str, tuple[str, Any]]
    headers: Mapping[str, tuple[str, Any]]
    prefixes: Mapping[str, str]
    labels: Mapping[str, str]
    required: frozenset[str]
    required_headers: frozenset[str]
    payload: str | None


@cache
def _operations(name: str) -> tuple[_Operation, ...]:
    model = service(name)
    return tuple(_operation(model.operation_model(each)) for each in model.operation_names)


def _operation(model: Any) -> _Operation:
    path, _, literal = model.http["requestUri"].partition("?")
    path = path.removeprefix("/{Bucket}") or "/"
    pattern = re.sub(r"\\\{(\w+)\\\+\\\}", r"(?P<\1>.+)", re.escape(path))
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", pattern)
    shape = model.input_shape
    members = shape.members.items() if shape is not None else ()
    query: dict[str, tuple[str, Any]] = {}
    headers: dict[str, tuple[str, Any]] = {}
    prefixes: dict[str, str] = {}
    labels: dict[str, str] = {}
    for member, about in members:
        place, wire = about.serialization.get("location"), about.serialization.get("name", member)
        if place == "querystring":
            query[wire] = member, about
        elif place == "uri":
            labels[wire] = member
        elif place == "header":
            headers[wire.lower()] = member, about
        elif place == "headers":
            prefixes[wire.lower()] = member
    needed = frozenset(shape.required_members if shape is not None else ())
    return _Operation(
        model.name,
        model.http["method"],
        re.compile(pattern),
        frozenset(part.partition("=")[0] for part in literal.split("&") if part),
        query,
        headers,
        prefixes,
        labels,
        frozenset(wire for wire, (member, _) in query.items() if member in needed),
        frozenset(wire for wire, (member, _) in headers.items() if member in needed),
        shape.serialization.get("payload") if shape is not None else None,
    )


def read(
    name: str, method: str, url: str, headers: Mapping[str, str], body: Any, labels: Mapping[str, str] | None = None
) -> tuple[str, dict[str, Any]]:
    """The operation of a request to a service, and its parameters. ``labels``: those that the path is known to mean.

    Raises:
        NoOperationError: no operation has this method, path, query and these headers.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query = {key: value for key, value in query.items() if key.lower() not in _SIGNING and key != "x-id"}
    sent = frozenset(map(str.lower, headers.keys()))
    fitting = [
        (len(each.literal) + len(each.required) + len(each.required_headers), each, match)
        for each in _operations(name)
        if each.method == method
        and each.literal | each.required <= query.keys()
        and each.required_headers <= sent
        and (match := each.path.fullmatch(parts.path))
    ]
    if not fitting:
        raise NoOperationError(f"{name} has no operation {method} {parts.path} with {sorted(query)}", "")
    _, found, match = max(fitting, key=lambda each: each[0])
    params: dict[str, Any] = {found.labels[name]: unquote(text) for name, text in match.groupdict().items()}
    params.update(labels or {})
    params.update(_from_query(found, query))
    params.update(_from_headers(found, headers))
    params.update(_from_body(name, found, body))
    return found.name, params


def _from_query(found: _Operation, query: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for key, text in query.items():
        if key in found.query:
            member, about = found.query[key]
            yield member, _typed(about, text)
        elif key not in found.literal:
            raise NoOperationError(f"{found.name} has no query parameter {key}", found.name)


def _from_headers(found: _Operation, headers: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    mapped: dict[str, dict[str, str]] = {}
    for name, text in headers.items():
        low = name.lower()
        prefix = next((each for each in found.prefixes if low.startswith(each)), None)
        if low in found.headers:
            member, about = found.headers[low]
            yield member, _typed(about, text)
        elif prefix is not None:
            mapped.setdefault(found.prefixes[prefix], {})[low.removeprefix(prefix)] = text
        elif low.startswith("x-amz-") and low not in _SIGNING:
            raise NoOperationError(f"{found.name} has no header {name}", found.name)
    yield from mapped.items()


def _from_body(name: str, found: _Operation, body: Any) -> Iterator[tuple[str, Any]]:
    if found.name == "CompleteMultipartUpload":
        yield "MultipartUpload", _completed(body)
    elif service(name).protocol == "rest-json" and found.payload is None:
        if body:
            yield from json.loads(body).items()
    elif found.payload is not None and body:
        yield found.payload, body


def _completed(body: Any) -> dict[str, Any]:
    root = ET.fromstring(body)  # noqa: S314  # our own
    found = [
        {
            "PartNumber": int(part.findtext("{*}PartNumber") or part.findtext("PartNumber") or 0),
            "ETag": part.findtext("{*}ETag") or part.findtext("ETag") or "",
        }
        for part in root
    ]
    return {"Parts": found}


def _typed(about: Any, text: str) -> Any:
    try:
        if about.type_name in {"integer", "long"}:
            return int(text)
        if about.type_name == "boolean":
            return {"true": True, "false": False}[text]
        if about.type_name == "list":
            return [each.strip() for each in text.split(",")]
    except (KeyError, ValueError):
        return text  # the model's rule reports the error
    return text

"""Compares answers of this process's app, and the query parameters that handlers read, with the API's description.

It finds statuses, media types and bodies that are not described, and parameters that a handler reads although
they are not described. Bodies are checked strictly: an undescribed member is as wrong as
a missing one, and texts must have the described format.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Lock, local
from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs
import pytest

from chalicelib.http import endpoint
from chalicelib.http.request import Query

if TYPE_CHECKING:
    from chalicelib.call import Context
    from chalicelib.http.endpoint import Answer, EndpointSpec, Event, Handler

FILE: Final = Path(__file__).parents[2] / "chalicelib" / "reference" / "openapi.json"
_METHODS: Final = {"delete", "get", "patch", "post", "put"}
_LONGEST: Final = 1_000_000
"""Number of characters of a body in a problem's text."""


@cache
def document() -> dict[str, Any]:
    """The description."""
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each operation."""
    for path, methods in described["paths"].items():
        for method in _METHODS & set(methods):
            yield method.upper(), path, methods[method]


class Checker:
    """Collects deviations from the description."""

    def __init__(self, described: dict[str, Any]) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self._operations = {(method, path): told for method, path, told in operations(described)}
        self._components = described["components"]
        self._strict = {"schemas": _strict(described["components"]["schemas"])}
        self._validators: dict[tuple[str, int, str], jsonschema_rs.Validator] = {}
        self._broken: list[str] = []
        self._lock = Lock()

    def take(self) -> list[str]:
        """The problems since the last call."""
        with self._lock:
            found, self._broken = self._broken, []
        return found

    def read(self, spec: EndpointSpec, name: str) -> None:
        """Called when a handler reads a query parameter."""
        told = self._operations.get((spec.method, spec.path))
        if told is None:
            return
        known = {self._shared("parameters", each)["name"] for each in told.get("parameters", [])}
        if name not in known:
            self._complain(
                f"{told['operationId']} reads {name} of its query: list it in infra/scripts/openapi/parameters.py"
            )

    def answered(self, spec: EndpointSpec, response: Answer) -> None:
        """Called for each answer of the app."""
        told = self._operations.get((spec.method, spec.path))
        if told is None:
            self._complain(f"{spec.method} {spec.path} is not described: make docs")
            return
        name, status = told["operationId"], response["statusCode"]
        self.answers[name, status] += 1
        if str(status) not in told["responses"]:
            self._complain(
                f"{name} answers {status}, which is not described; name it in the handler's docstring, as Raises, or "
                f"in its return type, and make docs: {response['body'][:200]}"
            )
            return
        content = self._shared("responses", told["responses"][str(status)]).get("content", {})
        if not response["body"]:
            if content and "application/x-ndjson" not in content:  # which may be no lines
                self._complain(f"{name} answers {status} without the body that is described")
            return
        media = str(response["headers"].get("Content-Type", "")).partition(";")[0]
        if media not in content:
            self._complain(f"{name} answers {status} as {media}, not {' or '.join(content) or 'without a body'}")
        elif media == "application/json" and len(response["body"]) <= _LONGEST:
            self._judge(name, status, media, content[media]["schema"], response["body"])

    def _judge(self, name: str, status: int, media: str, schema: Any, body: str) -> None:
        key = (name, status, media)
        with self._lock:
            if key not in self._validators:
                self._validators[key] = jsonschema_rs.Draft202012Validator(
                    {**_strict(schema), "components": self._strict}, validate_formats=True
                )
            validator = self._validators[key]
        for error in validator.iter_errors(json.loads(body)):
            where = "/".join(map(str, error.instance_path))
            self._complain(f"{name} answers {status}, where /{where} is not as described: {error.message[:300]}")

    def _shared(self, kind: str, told: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in told:
            return told
        found: dict[str, Any] = self._components[kind][told["$ref"].rpartition("/")[2]]
        return found

    def _complain(self, text: str) -> None:
        with self._lock:
            self._broken.append(text)


def _strict(schema: Any) -> Any:
    """The schema without additional members, except for refusals, which add their own."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: value if key in {"enum", "examples"} else _strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "request_id" not in schema["properties"]:
        found.setdefault("additionalProperties", False)
    return found


_now = local()


def install(into: Checker) -> pytest.MonkeyPatch:
    """Check all answers of this process's app."""
    patch = pytest.MonkeyPatch()
    run, get, every = endpoint._run, Query.get, Query.all

    def running(spec: EndpointSpec, handler: Handler, event: Event, context: Context) -> Answer:
        if not handler.__module__.startswith("chalicelib.") or spec.path.startswith("/ui"):
            return run(spec, handler, event, context)
        _now.spec = spec
        try:
            response = run(spec, handler, event, context)
        finally:
            _now.spec = None
        into.answered(spec, response)
        return response

    def note(name: str) -> None:
        spec = getattr(_now, "spec", None)
        if spec is not None:
            into.read(spec, name)

    def getting(self: Query, name: str) -> str | None:
        note(name)
        return get(self, name)

    def getting_all(self: Query, name: str) -> list[str]:
        note(name)
        return every(self, name)

    patch.setattr(endpoint, "_run", running)
    patch.setattr(Query, "get", getting)
    patch.setattr(Query, "all", getting_all)
    return patch

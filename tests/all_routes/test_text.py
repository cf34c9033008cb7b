"""Untrusted text in every input of every route never causes a 5xx, a lost connection or a broken header.

The bodies are those of ``test_bounds.py``. The names of query parameters are found by calling each route once and
noting which it reads. So new routes and shapes are covered.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2
import msgspec
import pytest

import chalicelib
from chalicelib.errors import BadRequest
from chalicelib.http import content
from chalicelib.http.identity import Auth
from chalicelib.http.request import Query
from tests.all_routes.table import Route
from tests.all_routes.tenants import Tenant, Values
from tests.all_routes.test_bounds import ask, body_of, called_routes

if TYPE_CHECKING:
    from infra.local.testing import LocalServer

LONE_SURROGATE = r"caf\ud83d"
"""A lone surrogate as JSON text, as written by a program that cuts a text inside a character."""
TEXTS = ("a\0b\r\nX-Injected: 1\x7f\x1b[2J\u202egpj.exe\ufdd0", "..", "=1+1 \U0001f600")
NUMBERS = (89490200001234567890, -(10**309), 1e-320)
MOMENTS = ("0001-01-01T00:00:00+05:30", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "2024-02-30T00:00:00Z")
SECONDS = ("-1", "253402300799", "99999999999", "9" * 5000, "1e9", "\u0663", "NaN")

Call = tuple[Route, Values, Any]
"""A route with values for its path, and a valid body."""


def structs() -> list[type[msgspec.Struct]]:
    """Every shape of the API."""
    found = set()
    for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        if module.name.endswith(".shapes"):
            members = vars(importlib.import_module(module.name)).values()
            found |= {each for each in members if isinstance(each, type) and issubclass(each, msgspec.Struct)}
    return sorted(found, key=lambda each: (each.__module__, each.__name__))


def outcome(document: Any, shape: Any) -> Any:
    try:
        return content.decode(json.dumps(document).encode(), shape)
    except BadRequest as error:
        return error.text


@pytest.mark.parametrize("shape", structs(), ids=lambda shape: f"{shape.__module__}.{shape.__name__}")
def test_null_is_treated_as_absent(shape: type[msgspec.Struct]):
    absent = outcome({}, shape)
    for field in msgspec.structs.fields(shape):
        for name in (field.encode_name, field.encode_name.upper()):
            null = outcome({name: None}, shape)
            # A required member then counts as missing, unless any value is allowed.
            assert null == absent or (field.required and "got `null`" not in str(null))
    assert outcome([None], list[shape]) == outcome([{}], list[shape])  # type: ignore[valid-type]
    assert outcome(None, shape) == absent
    assert outcome(None, list[shape]) == []  # type: ignore[valid-type]


TIMES = ("time", "_ts", "date", "after", "before", "expire")
"""Parts of names of members that hold a time."""


def changed(document: Any, kind: type | tuple[type, ...], new: Any, *, named: Collection[str] = ("",)) -> Iterator[Any]:
    """Copies of the document, each with another value of a type replaced, and for text also with a member renamed.

    ``named``: only members with one of these in their name.
    """

    def entries(value: Any, name: str) -> Iterator[Any]:
        if isinstance(value, kind) and not isinstance(value, bool) and any(part in name for part in named):
            yield new
        if isinstance(value, list):
            for index, entry in enumerate(value):
                yield from ([*value[:index], each, *value[index + 1 :]] for each in entries(entry, name))
        if isinstance(value, dict):
            for inner, member in value.items():
                yield from ({**value, inner: each} for each in entries(member, inner))
                if kind is str and named == ("",):
                    yield {new: member, **{other: value for other, value in value.items() if other != inner}}

    return entries(document, "")


def with_null(document: Any) -> Iterator[Any]:
    """Copies of the document, each with another member set to null, at any depth."""
    if isinstance(document, list):
        for index, entry in enumerate(document):
            yield from ([*document[:index], each, *document[index + 1 :]] for each in with_null(entry))
    if isinstance(document, dict):
        for name, member in document.items():
            yield {**document, name: None}
            yield from ({**document, name: each} for each in with_null(member))


def sent(mine: Tenant, known: Call, body: bytes | Any) -> httpx2.Response:
    route, values, _ = known
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if route.spec.auth is Auth.DEVICE:
        headers["Authorization"] = f"Bearer {mine.device.token}"
    client = mine.world.api if route.spec.auth is Auth.USER else mine.world.http
    return client.request(route.spec.method, route.uri(values), content=raw, headers=headers)


def wrong(route: Route, body: Any, answer: httpx2.Response) -> str:
    return f"{route.name} {str(body)[:200]}: {answer.status_code} {answer.text[:200]}"


def clean(answer: httpx2.Response) -> bool:
    """No 5xx, and headers of printable ASCII characters."""
    lines = [value for _, value in answer.headers.raw]
    return answer.status_code < 500 and all(line.isascii() and line.decode().isprintable() for line in lines)


@pytest.fixture
def bodies(server: LocalServer, mine: Tenant) -> list[Call]:
    """All routes that take JSON, with a body."""
    found = [(route, *body_of(mine, route)) for route in called_routes(server)]
    return [each for each in found if each[2] is not None]


def test_null_in_any_member_causes_no_5xx(mine: Tenant, bodies: list[Call]):
    problems = []
    for known in bodies:
        if isinstance(msgspec.inspect.type_info(known[0].spec.body), msgspec.inspect.DictType):
            continue  # its keys are chosen by the sender: they are entries, not members
        for each in with_null(known[2]):
            answer = sent(mine, known, each)
            # A required member is then missing, and the refusal has to say so, not that null has the wrong type.
            if not clean(answer) or "got `null`" in answer.text:
                problems.append(wrong(known[0], each, answer))
    assert not problems, "\n".join(problems)


def test_invalid_unicode_in_any_member_causes_no_5xx(mine: Tenant, bodies: list[Call]):
    problems = []
    for known in bodies:
        for each in changed(known[2], str, "@@@"):
            raw = json.dumps(each).encode().replace(b"@@@", LONE_SURROGATE.encode() + b"caf\xe9 \xed\xa0\xbd \xc0\xaf")
            answer = sent(mine, known, raw)
            said = answer.text.lower()
            if not clean(answer) or any(word in said for word in ("truncated", "malformed", "utf-8", "codec")):
                problems.append(wrong(known[0], raw, answer))
    assert not problems, "\n".join(problems)


def test_unusual_values_in_any_member_cause_no_5xx(server: LocalServer, mine: Tenant, bodies: list[Call]):
    problems = []
    for known in bodies:
        for each in unusual(known[2]):
            answer = sent(mine, known, each)
            if not clean(answer):
                problems.append(wrong(known[0], each, answer))
    assert not problems, "\n".join(problems)
    # What was accepted can be read again.
    for route in called_routes(server):
        if route.spec.method == "GET":
            answer = ask(mine, route, next(iter(mine.values(route.spec.path))))
            assert clean(answer), wrong(route, None, answer)


def unusual(body: Any) -> Iterator[Any]:
    for text in TEXTS:
        yield from changed(body, str, text)
    for number in NUMBERS:
        yield from changed(body, (int, float), number)
        yield from changed(body, str, number, named=("value",))
    for moment in MOMENTS:
        yield from changed(body, str, moment, named=TIMES)


@pytest.fixture
def queries(server: LocalServer, mine: Tenant, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """The query parameters that each route reads."""
    found: dict[str, set[str]] = defaultdict(set)
    asked: list[str] = []
    for name in ("get", "all", "flag"):
        original = getattr(Query, name)

        def noting(query: Query, parameter: str, original: Any = original) -> Any:
            asked.append(parameter)
            return original(query, parameter)

        monkeypatch.setattr(Query, name, noting)
    for route in called_routes(server):
        if route.spec.method == "GET":
            asked.clear()
            ask(mine, route, next(iter(mine.values(route.spec.path))))
            found[route.name] |= set(asked)
    monkeypatch.undo()
    return found


def test_unusual_values_in_queries_cause_no_5xx(server: LocalServer, mine: Tenant, queries: dict[str, set[str]]):
    assert {"created_after", "page", "name"} <= {name for names in queries.values() for name in names}
    problems = []
    for route in (route for route in called_routes(server) if route.name in queries):
        place = next(iter(mine.values(route.spec.path)))
        client = mine.world.api if route.spec.auth is Auth.USER else mine.world.http
        headers = {"Authorization": f"Bearer {mine.device.token}"} if route.spec.auth is Auth.DEVICE else {}
        for name in [*sorted(queries[route.name]), "inventory%2Fa%00", "%FF"]:
            values = [quote(TEXTS[0]), "%FF%ED%A0%BD%C0%AF%"]
            if any(part in name for part in (*TIMES, "page", "limit")):
                values += map(quote, (*MOMENTS, *SECONDS))
            for value in values:
                answer = client.get(f"{route.uri(place)}?{name}={value}", headers=headers)
                if not clean(answer):
                    problems.append(f"{route.name} {name}={value[:40]}: {answer.status_code} {answer.text[:200]}")
    assert not problems, "\n".join(problems)


def test_unusual_names_in_paths_cause_no_5xx(server: LocalServer, mine: Tenant):
    problems = []
    for route in (route for route in called_routes(server) if route.variables):
        _, body = body_of(mine, route)
        for name in ("a%0D%0AX:%201%7F%00%E2%80%AE", "%FF%ED%A0%BD", quote("é" * 400), "%2E%2E"):
            path = "/api" + route.spec.path.format(**dict.fromkeys(route.variables, name))
            client = mine.world.api if route.spec.auth is Auth.USER else mine.world.http
            headers = {"Authorization": f"Bearer {mine.device.token}"} if route.spec.auth is Auth.DEVICE else {}
            more: dict[str, Any] = {} if body is None else {"json": body}
            answer = client.request(route.spec.method, path, headers=headers, **more)
            if not clean(answer):
                problems.append(f"{route.name} {name[:20]}: {answer.status_code} {answer.text[:200]}")
    assert not problems, "\n".join(problems)

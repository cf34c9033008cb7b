"""The work of a request grows linearly with its size, for every list, object and text of every body.

There is a body for every route that reads one (``tests/all_routes/test_bounds.py`` fails for a new route until it has
one), so new routes and new members of bodies are covered.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.artifacts import rules
from chalicelib.http import endpoint
from chalicelib.http.request import Query
from tests.all_routes.conftest import mine
from tests.all_routes.test_bounds import ask, body_of, called_routes
from tests.support.operations import SIZES, Operations, is_little, operations, too_fast
from tests.support.probe import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from infra.local.testing import LocalServer
    from tests.all_routes.changes import Values
    from tests.all_routes.table import Route
    from tests.all_routes.tenants import Tenant

__all__ = ["mine"]

Make = Callable[[int], Any]
_CALL = 200
"""The count of a call to DynamoDB."""


@pytest.fixture
def work(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operations]:
    """Count the server's work for each request."""
    with operations() as found:
        run = endpoint._run

        def counting(*args: Any) -> Any:
            with found.counting():
                return run(*args)

        monkeypatch.setattr(endpoint, "_run", counting)
        yield found


def larger(value: Any, path: str = "$") -> Iterator[tuple[str, Make]]:
    """The parts of a value that can be made larger: path, and a function that creates the value with a size."""
    match value:
        case str():
            yield path, lambda size: "x" * (64 * size)
        case list():
            for entry in value[:1]:
                yield f"{path}[same]", partial(_same, entry)
                yield f"{path}[others]", partial(_others, entry)
                for place, make in larger(entry, f"{path}[0]"):
                    yield place, partial(_alone, make)
        case dict():
            for name, member in value.items():
                for place, make in larger(member, f"{path}.{name}"):
                    yield place, partial(_within, value, name, make)
                yield f"{path}.{name}[deep]", partial(_within, value, name, _nested)
            yield f"{path}.*", partial(_with_others, value)


def _same(entry: Any, size: int) -> list[Any]:
    return [copy.deepcopy(entry) for _ in range(size)]


def _others(entry: Any, size: int) -> list[Any]:
    return [_other(entry, each) for each in range(size)]


def _alone(make: Make, size: int) -> list[Any]:
    return [make(size)]


def _within(value: dict[str, Any], name: str, make: Make, size: int) -> dict[str, Any]:
    return {**value, name: make(size)}


def _with_others(value: dict[str, Any], size: int) -> dict[str, Any]:
    return value | {f"name-{each}": "x" for each in range(size)}


def _with_long_lists(value: Any, size: int) -> Any:
    """All lists are long at once, except lists in lists, to find code that compares two of them."""
    match value:
        case [entry, *_]:
            return _others(entry, size)
        case dict():
            return {name: _with_long_lists(member, size) for name, member in value.items()}
    return value


def _other(entry: Any, number: int) -> Any:
    """A unique entry: its names are numbered."""
    if isinstance(entry, str):
        return f"{entry}-{number}"
    if isinstance(entry, dict):
        return {
            name: f"{member}-{number}" if isinstance(member, str) and name in _NAMES else member
            for name, member in entry.items()
        }
    return entry


_NAMES = {"name", "attribute", "id", "value", "email"}


def _nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


def grown(work: Operations, send: Callable[[int], httpx2.Response]) -> tuple[str, list[int]] | None:
    """Status and counts if they grow too fast. Only answers with equal status are compared: refusals cost less."""

    def measured(size: int) -> tuple[int, int]:
        before = work.count
        with counted() as cost:
            answer = send(size)
        assert answer.status_code < 500, answer.text
        return answer.status_code, work.count - before + _CALL * cost.round_trips

    # From the largest down: if the two largest cost little, those below need not be sent.
    found: list[tuple[int, int]] = []
    for size in reversed(SIZES):
        found.insert(0, measured(size))
        if len(found) == 2 and all(is_little(count) for _, count in found):
            return None
    for status in {status for status, _ in found}:
        counts = [count for each, count in found if each == status]
        if too_fast(counts):
            return str(status), counts
    return None


def _repeated(name: str, size: int) -> list[tuple[str, str]]:
    return [(name, f"x{each}") for each in range(size)]


def _long(name: str, size: int) -> dict[str, str]:
    return {name: "x*," * size}


def _sender(
    mine: Tenant, route: Route, values: Values, what: str, make: Callable[[int], Any], **more: Any
) -> Callable[[int], httpx2.Response]:
    """A request with a body (``json``) or a query (``params``) of a given size."""
    return lambda size: ask(mine, route, values, **{what: make(size)}, **more)


def test_bodies(server: LocalServer, mine: Tenant, work: Operations) -> None:
    wrong = []
    for route in called_routes(server):
        values, body = body_of(mine, route)
        ask(mine, route, values, json=body)  # caches are filled before counting
        every: Make = partial(_with_long_lists, body)
        for place, make in [*larger(body), ("every list at once", every)]:
            found = grown(work, _sender(mine, route, values, "json", make))
            if found:
                wrong.append(f"{route.name} {place}: {found}")
    assert not wrong, "\n".join(wrong)


def test_queries(server: LocalServer, mine: Tenant, work: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong, read = [], set()
    get, every = Query.get, Query.all

    def noted(known: Callable[[Query, str], Any], query: Query, name: str) -> Any:
        read.add(name)
        return known(query, name)

    monkeypatch.setattr(Query, "get", lambda query, name: noted(get, query, name))
    monkeypatch.setattr(Query, "all", lambda query, name: noted(every, query, name))
    for route in called_routes(server):
        values, body = body_of(mine, route)
        more = {} if body is None else {"json": body}
        read.clear()
        ask(mine, route, values, **more)
        if route.spec.method != "GET" and not read:
            continue
        for name in [*sorted(read - {"page", "per_page"}), "any"]:
            ways: dict[str, Make] = {
                "values": partial(_repeated, name),
                "names": lambda size: [(f"x{each}", "x") for each in range(size)],
                "text": partial(_long, name),
            }
            for way, params in ways.items():
                if way != "names" or name == "any":
                    found = grown(work, _sender(mine, route, values, "params", params, **more))
                    if found:
                        wrong.append(f"{route.name} {name} {way}: {found}")
    assert not wrong, "\n".join(wrong)


def test_all_functions_are_counted_during_the_block_only() -> None:
    before = rules.conflict.__code__
    new = rules.Candidate("a", "b", (), {}, 1, "k", None)
    with operations() as found:
        assert rules.conflict.__code__ is not before
        assert found.of(lambda: rules.conflict([new], new)) > 0
    assert rules.conflict.__code__ is before

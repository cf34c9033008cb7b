"""What a request costs grows with its size, and no faster: counted for every list, object and text of every body.

The walk knows a body for every route that reads one (``tests/walk/test_bounds.py`` fails for a new route until it has
one), so a new route and a new member of a body are covered without a word here.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.http import endpoint
from chalicelib.http.request import Query
from tests.support.operations import SIZES, Operations, operations, too_fast
from tests.support.probe import counted
from tests.walk.conftest import mine
from tests.walk.test_bounds import ask, body_of, walked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx2

    from infra.local.testing import LocalServer
    from tests.walk.tenants import Tenant

__all__ = ["mine"]

_CALL = 200
"""What a call of DynamoDB counts."""


@pytest.fixture
def work(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operations]:
    """Counts what the server does for each request."""
    with operations() as found:
        run = endpoint._run

        def counting(*args: Any) -> Any:
            with found.counting():
                return run(*args)

        monkeypatch.setattr(endpoint, "_run", counting)
        yield found


def larger(value: Any, path: str = "$") -> Iterator[tuple[str, Callable[[int], Any]]]:
    """Ways to make one part of a value larger: its place, and what makes the whole of a size."""
    match value:
        case str():
            yield path, lambda size: "x" * (64 * size)
        case list():
            for entry in value[:1]:
                yield f"{path}[same]", lambda size, entry=entry: [copy.deepcopy(entry) for _ in range(size)]
                yield f"{path}[others]", lambda size, entry=entry: [_other(entry, each) for each in range(size)]
                for place, make in larger(entry, f"{path}[0]"):
                    yield place, lambda size, make=make: [make(size)]
        case dict():
            for name, member in value.items():
                for place, make in larger(member, f"{path}.{name}"):
                    yield place, lambda size, name=name, make=make: {**value, name: make(size)}
                yield f"{path}.{name}[deep]", lambda size, name=name: {**value, name: _nested(size)}
            yield f"{path}.*", lambda size: value | {f"name-{each}": "x" for each in range(size)}


def _other(entry: Any, number: int) -> Any:
    """An entry unlike the others: numbered, wherever it is called something."""
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
    """Status and counts where they grow too fast. Only answers of one kind are compared: a refusal costs less."""
    counts: dict[int, list[int]] = {}
    for size in SIZES:
        before = work.count
        with counted() as cost:
            answer = send(size)
        assert answer.status_code < 500, answer.text
        counts.setdefault(answer.status_code, []).append(work.count - before + _CALL * cost.round_trips)
    for status, found in counts.items():
        if too_fast(found):
            return str(status), found
    return None


def test_s5_bodies(server: LocalServer, mine: Tenant, work: Operations) -> None:
    wrong = []
    for route in walked(server):
        values, body = body_of(mine, route)
        ask(mine, route, values, json=body)  # what is cached from now on was counted
        for place, make in larger(body):
            found = grown(work, lambda size, make=make: ask(mine, route, values, json=make(size)))
            if found:
                wrong.append(f"{route.name} {place}: {found}")
    assert not wrong, "\n".join(wrong)


def test_s5_queries(server: LocalServer, mine: Tenant, work: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong, read = [], set()
    get, every = Query.get, Query.all

    def noted(known: Callable[[Query, str], Any], query: Query, name: str) -> Any:
        read.add(name)
        return known(query, name)

    monkeypatch.setattr(Query, "get", lambda query, name: noted(get, query, name))
    monkeypatch.setattr(Query, "all", lambda query, name: noted(every, query, name))
    for route in walked(server):
        values, body = body_of(mine, route)
        more = {} if body is None else {"json": body}
        read.clear()
        ask(mine, route, values, **more)
        if route.spec.method != "GET" and not read:
            continue
        for name in [*sorted(read - {"page", "per_page"}), "any"]:
            ways: dict[str, Callable[[int], Any]] = {
                "values": lambda size, name=name: [(name, f"x{each}") for each in range(size)],
                "names": lambda size: [(f"x{each}", "x") for each in range(size)],
                "text": lambda size, name=name: {name: "x*," * size},
            }
            for way, params in ways.items():
                if way != "names" or name == "any":
                    found = grown(
                        work, lambda size, params=params: ask(mine, route, values, params=params(size), **more)
                    )
                    if found:
                        wrong.append(f"{route.name} {name} {way}: {found}")
    assert not wrong, "\n".join(wrong)


def test_all_functions_are_counted_and_only_for_a_time() -> None:
    from chalicelib.artifacts import rules

    before = rules.conflict.__code__
    new = rules.Candidate("a", "b", (), {}, 1, "k", None)
    with operations() as found:
        assert rules.conflict.__code__ is not before
        assert found.of(lambda: rules.conflict([new], new)) > 0
    assert rules.conflict.__code__ is before

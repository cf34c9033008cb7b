"""Promise F5 of every route: where DynamoDB does not answer, callers get 503 and are told when to come back.

The call that lets the caller in is still answered; what follows is not, or no write is. Nothing is half done then.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from chalicelib.errors import Unavailable
from chalicelib.http.identity import Auth
from chalicelib.storage import connection
from tests.all_routes.changes import ELSEWHERE, SILENT
from tests.all_routes.table import Route, routes
from tests.all_routes.tenants import BODIES, Tenant
from tests.all_routes.test_again import TWICE
from tests.all_routes.test_audit import attempts, entries
from tests.all_routes.test_bounds import OTHERS
from tests.support.crashes import WRITES

if TYPE_CHECKING:
    from infra.local.testing import LocalServer


@dataclass
class Outage:
    """Whether anybody noticed."""

    noticed: bool = False


@contextmanager
def away(*, after: int = 0, of: Container[str] | None = None) -> Iterator[Outage]:
    """Let DynamoDB answer ``after`` calls, or those that are not ``of`` these operations, and then no more."""
    shared = connection.shared()
    real = shared.dispatch
    outage, made = Outage(), 0

    def dispatch(operation: str, *arguments: Any) -> Any:
        nonlocal made
        made += 1
        outage.noticed = outage.noticed or (made > after and (of is None or operation in of))
        if outage.noticed:
            raise Unavailable
        return real(operation, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "dispatch", dispatch)
        yield outage


def is_told(answer: httpx2.Response) -> bool:
    """Whether an answer says that, and when to come back."""
    if answer.status_code != 503 or "Retry-After" not in answer.headers:
        return False
    if int(answer.headers["Retry-After"]) <= 0:
        return False
    if answer.request.url.path.startswith("/api/devices/"):
        return not answer.content  # some of their clients fail on the body of a refusal
    return set(answer.json()) == {"error", "request_id"}


def test_nothing_is_read(server: LocalServer, mine: Tenant):
    wrong, noticed = [], 0
    for route in routes(server.app):
        if route.spec.auth is Auth.NONE or route.spec.path.endswith("/logout"):
            continue
        values = next(iter(mine.values(route.spec.path)))
        client = mine.world.api if route.spec.auth is Auth.USER else mine.world.http
        headers = {"Authorization": f"Bearer {mine.device.token}"} if route.spec.auth is Auth.DEVICE else {}
        body = BODIES.get(route.name, OTHERS.get(route.name))
        with away(after=1) as outage:
            answer = client.request(route.spec.method, route.uri(values), json=body, headers=headers)
        noticed += outage.noticed
        if outage.noticed != is_told(answer) or answer.status_code in {500, 502, 504}:
            wrong.append(f"{route.name}: {outage.noticed} {answer.status_code} {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)
    assert noticed > 100


def test_nothing_is_written(mine: Tenant, changing: list[Route]):
    wrong, noticed = [], 0
    for route in changing:
        for values, more in attempts(mine, route):
            before = entries(mine)
            with away(of=WRITES) as outage:
                answer = mine.world.api.request(route.spec.method, route.uri(values), **more)
            if outage.noticed and (not is_told(answer) or entries(mine) != before):
                wrong.append(f"{route.name}: {answer.status_code} {answer.text[:200]}")
            if outage.noticed:
                noticed += 1
                break
    assert not wrong, "\n".join(wrong)
    assert noticed > 50


def test_neither_bucket_nor_queues_are_there(mine: Tenant, changing: list[Route], monkeypatch: pytest.MonkeyPatch):
    from chalicelib.aws import client

    wrong, noticed = [], 0
    outage = Outage()

    def send(*_: object, **__: object) -> None:
        outage.noticed = True
        raise Unavailable

    exempt = ELSEWHERE.keys() | SILENT.keys() | TWICE.keys()
    for route in (route for route in changing if route.name not in exempt):
        values, more = attempts(mine, route)[0]
        before, outage.noticed = entries(mine), False
        with monkeypatch.context() as patch:
            patch.setattr(client, "send", send)
            answer = mine.world.api.request(route.spec.method, route.uri(values), **more)
        if not outage.noticed:
            continue
        noticed += 1
        # Where the change stands, the schedule sees to the rest.
        good = is_told(answer) or (answer.is_success and entries(mine) == before + 1)
        again = mine.world.api.request(route.spec.method, route.uri(values), **more)
        if not good or again.status_code >= 500 or entries(mine) > before + 1:
            wrong.append(f"{route.name}: {answer.status_code} {answer.text[:200]}, then {again.status_code}")
    assert not wrong, "\n".join(wrong)
    assert noticed

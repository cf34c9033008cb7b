"""On every route, callers get 503 and ``Retry-After`` if DynamoDB does not answer.

The read that authenticates the caller succeeds; all later calls, or all writes, fail. Nothing is left half done.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from chalicelib.aws import client as aws_client
from chalicelib.errors import Unavailable
from chalicelib.http.identity import Auth
from chalicelib.storage import dynamodb
from tests.all_routes.silent import ELSEWHERE, SILENT
from tests.all_routes.table import Route, routes
from tests.all_routes.tenants import BODIES, Tenant
from tests.all_routes.test_audit import attempts, entries
from tests.all_routes.test_bounds import OTHERS
from tests.all_routes.test_repeated_calls import TWICE
from tests.support.crashes import WRITES

if TYPE_CHECKING:
    from infra.local.testing import LocalServer


@dataclass
class Outage:
    """An outage, and whether a call was affected by it."""

    affected: bool = False


@contextmanager
def dynamodb_outage(*, after: int = 0, of: Container[str] | None = None) -> Iterator[Outage]:
    """Let DynamoDB answer ``after`` calls, or those that are not ``of`` these operations, and fail all others."""
    shared = dynamodb.shared()
    real = shared.call
    outage, made = Outage(), 0

    def dispatch(operation: str, *arguments: Any) -> Any:
        nonlocal made
        made += 1
        outage.affected = outage.affected or (made > after and (of is None or operation in of))
        if outage.affected:
            raise Unavailable
        return real(operation, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "call", dispatch)
        yield outage


def is_503(answer: httpx2.Response) -> bool:
    """Whether the answer is a 503 with ``Retry-After``."""
    if answer.status_code != 503 or "Retry-After" not in answer.headers:
        return False
    if int(answer.headers["Retry-After"]) <= 0:
        return False
    if answer.request.url.path.startswith("/api/devices/"):
        return not answer.content  # some Mender clients fail on the body of a refusal
    return set(answer.json()) == {"error", "request_id"}


def test_failing_reads_get_503(server: LocalServer, mine: Tenant):
    wrong, affected = [], 0
    for route in routes(server.app):
        if route.spec.auth is Auth.NONE or route.spec.path.endswith("/logout"):
            continue
        values = next(iter(mine.values(route.spec.path)))
        client = mine.world.api if route.spec.auth is Auth.USER else mine.world.http
        headers = {"Authorization": f"Bearer {mine.device.token}"} if route.spec.auth is Auth.DEVICE else {}
        body = BODIES.get(route.name, OTHERS.get(route.name))
        with dynamodb_outage(after=1) as outage:
            answer = client.request(route.spec.method, route.uri(values), json=body, headers=headers)
        affected += outage.affected
        if outage.affected != is_503(answer) or answer.status_code in {500, 502, 504}:
            wrong.append(f"{route.name}: {outage.affected} {answer.status_code} {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)
    assert affected > 100


def test_failing_writes_get_503_and_change_nothing(mine: Tenant, changing: list[Route]):
    wrong, affected = [], 0
    for route in changing:
        for values, more in attempts(mine, route):
            before = entries(mine)
            with dynamodb_outage(of=WRITES) as outage:
                answer = mine.world.api.request(route.spec.method, route.uri(values), **more)
            if outage.affected and (not is_503(answer) or entries(mine) != before):
                wrong.append(f"{route.name}: {answer.status_code} {answer.text[:200]}")
            if outage.affected:
                affected += 1
                break
    assert not wrong, "\n".join(wrong)
    assert affected > 50


def test_failing_s3_and_sqs_get_503_or_the_change_is_made(
    mine: Tenant, changing: list[Route], monkeypatch: pytest.MonkeyPatch
):
    wrong, affected = [], 0
    outage = Outage()

    def send(*_: object, **__: object) -> None:
        outage.affected = True
        raise Unavailable

    exempt = ELSEWHERE.keys() | SILENT.keys() | TWICE.keys()
    for route in (route for route in changing if route.name not in exempt):
        values, more = attempts(mine, route)[0]
        before, outage.affected = entries(mine), False
        with monkeypatch.context() as patch:
            patch.setattr(aws_client, "_insist", send)
            answer = mine.world.api.request(route.spec.method, route.uri(values), **more)
        if not outage.affected:
            continue
        affected += 1
        # If the change was made, the schedule does the rest later.
        good = is_503(answer) or (answer.is_success and entries(mine) == before + 1)
        again = mine.world.api.request(route.spec.method, route.uri(values), **more)
        if not good or again.status_code >= 500 or entries(mine) > before + 1:
            wrong.append(f"{route.name}: {answer.status_code} {answer.text[:200]}, then {again.status_code}")
    assert not wrong, "\n".join(wrong)
    assert affected

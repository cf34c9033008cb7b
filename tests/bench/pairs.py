"""Calls of the app, each paired with its floor or with another call, in turns, in one thread.

Processor time of a call differs from machine to machine, and on one machine by what else it does. The ratio to
something that is measured in the same second, and that costs the same kind of work, does not.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from chalicelib import settings, tokens
from chalicelib.aws import signing_keys
from chalicelib.fleet import control, heads
from chalicelib.http.routing import RouteTable
from chalicelib.inventory.service import building
from chalicelib.storage.keys import TenantId
from infra.local import rest_event
from infra.local.lambda_context import LambdaContext
from infra.local.testing import LocalServer
from tests.bench import floor
from tests.bench.numbers import Pair
from tests.simulator.fleet import INVENTORY, NEXT, REPORTS
from tests.simulator.management import DEPLOYMENTS

Work = Callable[[int], object]
"""One call; the argument counts the calls."""

CALLS = 40
"""Calls of one alternative, before it is the other's turn."""

WARM = 5
"""Turns of each alternative before any is measured."""

ATTRIBUTES = 42


@dataclass(frozen=True, slots=True)
class Request:
    """A request of the public API."""

    method: str
    path: str
    token: str
    body: bytes = b""
    expected: int = 204


def in_turns(ours: Work, other: Work, rounds: int) -> Pair:
    """Measure two alternatives in turns; the ratios are those of each round."""
    count = 0

    def measured(work: Work) -> float:
        nonlocal count
        begun = time.thread_time()
        for _ in range(CALLS):
            work(count)
            count += 1
        return (time.thread_time() - begun) / CALLS

    for _ in range(WARM):  # caches, connections, and code that the interpreter specialises
        measured(ours)
        measured(other)
    found = [(measured(ours), measured(other)) for _ in range(rounds)]
    return Pair(
        ours=statistics.median(one for one, _ in found),
        other=statistics.median(two for _, two in found),
        ratios=sorted(one / two for one, two in found),
    )


class Caller:
    """Calls the app as Lambda does."""

    def __init__(self, server: LocalServer) -> None:
        self._app = server.app
        self._routes = RouteTable(server.app.routes)

    def event(self, request: Request) -> dict[str, Any]:
        """The event of a request."""
        headers = [
            (b"host", b"localhost"),
            (b"authorization", f"Bearer {request.token}".encode()),
            (b"content-type", b"application/json"),
        ]
        scope = {
            "method": request.method,
            "raw_path": request.path.encode(),
            "query_string": b"",
            "headers": headers,
            "scheme": "https",
            "http_version": "1.1",
        }
        match = self._routes.find(request.path.removeprefix("/api"))
        if match is None:
            raise ValueError(f"there is no route {request.path}")
        return rest_event.build(rest_event.head(scope), match, request.method, request.body, ())

    def work(self, requests: list[Request]) -> Work:
        """Make these requests, one after the other and from the beginning again."""
        events = [(self.event(request), request.expected) for request in requests]
        context = LambdaContext("api_handler", 30)

        def call(count: int) -> None:
            event, expected = events[count % len(events)]
            answer = self._app(event, context)
            if answer["statusCode"] != expected:
                raise RuntimeError(f"{event['path']} gave {answer}")

        return call


def idle(server: LocalServer, order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Calls of a device without an update, each against its floor.

    ``order``: its ``token``, and ``poll``, the body of a poll.
    """
    server.drain()  # so that no worker disturbs
    caller, rounds, known = Caller(server), order["rounds"], order["token"]
    claims = tokens.verify(known)
    least = _Least(claims)
    body = order["poll"].encode()
    fresh = [tokens.issue({**claims, "iat": claims["iat"] - at}) for at in range(2 * (rounds + WARM) * CALLS)]
    attributes = [{"name": f"attribute_{at}", "value": f"value {at}"} for at in range(ATTRIBUTES)]
    inventory = Request("PATCH", INVENTORY, known, json.dumps(attributes).encode(), 200)
    found = {
        "idle_known": in_turns(caller.work([Request("POST", NEXT, known, body)]), least.of(1, []), rounds),
        "idle_new": in_turns(
            caller.work([Request("POST", NEXT, token, body) for token in fresh]), least.of(1, fresh), rounds
        ),
        "inventory": in_turns(caller.work([inventory]), least.of(1, [known]), rounds),
    }
    return {name: asdict(pair) for name, pair in found.items()}


def reports(server: LocalServer, order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Status reports of a device with ``token`` that installs ``deployment``, against two floors."""
    caller, rounds, token = Caller(server), order["rounds"], order["token"]
    least = _Least(tokens.verify(token))
    path = f"{REPORTS}/{order['deployment']}/status"
    work = caller.work(
        [
            Request("PUT", path, token, json.dumps({"status": status}).encode())
            for status in ("downloading", "installing")
        ]
    )
    found = {
        "report": in_turns(work, least.of(1, [token]), rounds),
        "report_own_trips": in_turns(work, least.of(2, [token]), rounds),
    }
    return {name: asdict(pair) for name, pair in found.items()}


class _Least:
    """The floor of a device's calls."""

    def __init__(self, claims: Mapping[str, Any]) -> None:
        aws = settings.aws()
        place = heads.key(TenantId(claims["mender.tenant"]), claims["sub"])
        self._key = signing_keys.active().private.public_key()
        self._read = floor.reader(aws.endpoint_url or "", aws.region, heads.table(), place)

    def of(self, trips: int, used: list[str]) -> Work:
        """Check one of these tokens, if there are any, and make so many round trips."""

        def work(count: int) -> None:
            if used:
                floor.check_token(used[count % len(used)], self._key)
            for _ in range(trips):
                self._read()

        return work


def operators(server: LocalServer, order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Calls of an operator with ``token``, each against one verification of an RS256 signature (3,072 bits)."""
    caller, rounds, token = Caller(server), order["rounds"], order["token"]
    private = rsa.generate_private_key(65537, 3072)
    text = jwt.encode({"sub": "x" * 300}, private, "RS256")
    key = private.public_key()

    def against_verification(request: Request) -> Pair:
        return in_turns(caller.work([request]), lambda _: floor.check_token(text, key), rounds)

    search = json.dumps({"page": 1, "per_page": 20, "filters": order["terms"]}).encode()
    found = {
        "devauth": Request("GET", "/api/management/v2/devauth/devices", token, b"", 200),
        "inventory_list": Request("GET", "/api/management/v1/inventory/devices", token, b"", 200),
        "deployments": Request("GET", "/api/management/v2/deployments/deployments", token, b"", 200),
        "search": Request("POST", "/api/management/v2/inventory/filters/search", token, search, 200),
    }
    caller.work([found["search"]])(0)
    tenant = TenantId(tokens.verify(token)["mender.tenant"])
    while building.rebuild(tenant):  # the first search asks for a snapshot, which the schedule makes within a minute
        pass
    return {name: asdict(against_verification(request)) for name, request in found.items()}


def many_open(server: LocalServer, order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Idle polls in a tenant with ``deployments`` open for ``targets``, against those in a tenant with one.

    ``many`` and ``one`` are tokens of devices in these tenants, which none of the deployments is for. ``user``: the
    token that creates the deployments, except the first in each.
    """
    caller = Caller(server)
    bodies = [
        json.dumps({"name": f"d{number}", "artifact_name": order["release"], "devices": order["targets"]}).encode()
        for number in range(1, order["deployments"])
    ]
    create = caller.work([Request("POST", DEPLOYMENTS, order["user"], body, 201) for body in bodies])
    for number in range(len(bodies)):
        create(number)
    control.forget(TenantId(tokens.verify(order["many"])["mender.tenant"]))
    many, one = (
        caller.work([Request("POST", NEXT, order[which], order["poll"].encode())]) for which in ("many", "one")
    )
    return asdict(in_turns(many, one, order["rounds"]))

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

    for _ in range(5):  # caches, connections, and code that the interpreter specialises
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


def pairs(server: LocalServer, order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Calls of devices, each against its floor.

    ``order``: ``idle``, the token of a device without an update; ``busy``, that of a device which installs
    ``deployment``; ``poll``, the body of a poll.
    """
    server.drain()  # so that no worker disturbs
    caller, rounds = Caller(server), order["rounds"]
    known: str = order["idle"]
    claims = tokens.verify(known)
    tenant, device = TenantId(claims["mender.tenant"]), claims["sub"]
    key, aws = signing_keys.active().private.public_key(), settings.aws()
    read_head = floor.reader(aws.endpoint_url or "", aws.region, heads.table(), heads.key(tenant, device))

    def against_floor(requests: list[Request], trips: int, used: list[str]) -> Pair:
        def least(count: int) -> None:
            if used:
                floor.check_token(used[count % len(used)], key)
            for _ in range(trips):
                read_head()

        return in_turns(caller.work(requests), least, rounds)

    body = order["poll"].encode()
    fresh = [tokens.issue({**claims, "iat": claims["iat"] - at}) for at in range(2 * (rounds + 5) * CALLS)]
    attributes = [{"name": f"attribute_{at}", "value": f"value {at}"} for at in range(ATTRIBUTES)]
    inventory = Request("PATCH", INVENTORY, known, json.dumps(attributes).encode(), 200)
    path = f"{REPORTS}/{order['deployment']}/status"
    reports = [
        Request("PUT", path, order["busy"], json.dumps({"status": status}).encode())
        for status in ("downloading", "installing")
    ]
    found = {
        "idle_known": against_floor([Request("POST", NEXT, known, body)], 1, []),
        "idle_new": against_floor([Request("POST", NEXT, token, body) for token in fresh], 1, fresh),
        "inventory": against_floor([inventory], 1, [known]),
        "report": against_floor(reports, 1, [known]),
        "report_own_trips": against_floor(reports, 2, [known]),
    }
    return {name: asdict(pair) for name, pair in found.items()}


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

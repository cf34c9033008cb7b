"""On every route, no secret appears in an answer, in plain text in a table, or in the log.

Log lines contain no names of users either.
"""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from boto3.dynamodb.types import TypeDeserializer

from chalicelib.http.identity import Auth
from chalicelib.storage.keys import TenantId
from chalicelib.useradm import service
from chalicelib.useradm.service import twofactor
from infra.manage import contents
from tests.all_routes.changes import CASES, with_codes
from tests.all_routes.table import Route, routes
from tests.all_routes.tenants import BODIES, Tenant, Values
from tests.conftest import PASSWORD
from tests.deployments.world import World
from tests.integrations.conftest import SECRET, register

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant as TenantRecord
    from infra.local.testing import LocalServer

M1, M2 = "/management/v1", "/management/v2"
LOGIN = f"/api{M1}/useradm/auth/login"
TOKENS = f"/api{M1}/useradm/settings/tokens"

GIVEN = {
    (f"GET {M1}/console/session", "tenant token"),
    (f"GET {M1}/tenantadm/user/tenant", "tenant token"),
}
"""Answers that contain a secret on purpose, for the user who may have it."""

MEMBERS = re.compile(r'"([^"]*(?:password|secret|token|hash|sealed|private)[^"]*)":', re.IGNORECASE)
"""Members of answers whose names sound like a secret."""

GIVEN_MEMBERS = {
    (f"GET {M1}/tenantadm/user/tenant", "tenant_token"),
    (f"GET {M1}/console/session", "tenant_token"),
    (f"GET {M1}/console/session", "tokens:manage"),  # a permission
    (f"GET {M1}/auditlogs/chains", "hash"),  # of the last entry of a chain
    (f"GET {M1}/auditlogs/logs", "user_access_token"),  # name and id of a token
    (f"GET {M1}/iot-manager/integrations", "secret"),  # asterisks only
}
DESCRIPTION = "GET /openapi.json"
"""It names all members of all answers, and holds no tenant's data."""


@pytest.fixture(scope="module")
def server(own_server: LocalServer) -> LocalServer:
    return own_server


@pytest.fixture
def log(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Everything that is logged at the most detailed level."""
    logger = logging.getLogger("lamplighter")
    [handler] = logger.handlers
    written = io.StringIO()
    monkeypatch.setattr(handler, "stream", written)
    monkeypatch.setattr(logger, "level", logging.DEBUG)
    return written


@pytest.fixture
def mine(
    server: LocalServer, log: io.StringIO, api: httpx2.Client, http: httpx2.Client, tenant: TenantRecord
) -> Iterator[Tenant]:
    made = Tenant(World(api, http, tenant.tenant_token))
    made.add_child()
    register(api, "https://secret.example", secret=SECRET)
    with made.connected(server.url):
        yield made


def secrets_of(mine: Tenant, personal: str) -> dict[str, str]:
    with_codes(mine)
    seed = twofactor._secret(service.get_user(TenantId(mine.tenant), mine.user))
    assert seed
    return {
        "password": PASSWORD,
        "session": str(mine.world.api.headers["Authorization"]).removeprefix("Bearer "),
        "access token": personal,
        "device's token": str(mine.device.token),
        "tenant token": mine.world.token,
        "webhook's secret": SECRET,
        "provider's secret": mine.provider_secret,
        "seed of codes": seed,
    }


def calls(mine: Tenant, server: LocalServer) -> Iterator[tuple[Route, httpx2.Response]]:
    """Every route with all its parameters; those that delete something come last."""
    verbs = ("GET", "POST", "PUT", "PATCH", "DELETE")
    for route in sorted(routes(server.app), key=lambda route: verbs.index(route.spec.method)):
        body = {"json": BODIES[route.name]} if route.name in BODIES else {}
        ways: list[tuple[Values, dict[str, Any]]] = [(values, body) for values in mine.values(route.spec.path)]
        if route.name in CASES:
            ways.append(CASES[route.name](mine))
        for values, more in ways:
            if route.spec.method != "GET" and (ends_the_session(route) or values.get("id") in {mine.user, mine.tenant}):
                continue
            client = mine.world.api if route.spec.auth is Auth.USER else mine.world.http
            headers = dict(more.get("headers", {}))
            if route.spec.auth is Auth.DEVICE:
                headers["Authorization"] = f"Bearer {mine.device.token}"
            yield route, client.request(route.spec.method, route.uri(values), **more | {"headers": headers})


def ends_the_session(route: Route) -> bool:
    return route.spec.path.endswith(("/logout", "/users/me"))


def test_secrets_appear_nowhere(server: LocalServer, mine: Tenant, log: io.StringIO):
    personal = mine.world.api.post(TOKENS, json={"name": "personal", "expires_in": 86_400}).text
    secrets = secrets_of(mine, personal)
    # The tenant's administrator must be able to read the tenant token again.
    assert found(secrets, stored(mine.tenant)) == ["tenant token"]
    given, members = set(), set()

    for route, answer in calls(mine, server):
        text = answer.text + json.dumps(dict(answer.headers))
        given |= {(route.name, name) for name, value in secrets.items() if value in text}
        if answer.is_success and route.name != DESCRIPTION:
            members |= {(route.name, name) for name in MEMBERS.findall(answer.text)}
    mine.world.http.post(LOGIN, auth=(mine.email, "a wrong password"))
    server.drain()

    assert given == GIVEN
    assert members == GIVEN_MEMBERS
    people = {"address": mine.email, "identity": mine.device.identity["mac"], "wrong": "a wrong password"}
    written = log.getvalue()
    assert written
    assert found(secrets | people, written) == []


def found(secrets: dict[str, str], text: str) -> list[str]:
    return [name for name, value in secrets.items() if value in text]


def stored(tenant: str) -> str:
    """All items of a tenant as text, with compressed ones unpacked."""
    read = TypeDeserializer().deserialize
    rows = ({name: contents.plain(read(value)) for name, value in each.item.items()} for each in contents.items(tenant))
    return json.dumps(list(rows))

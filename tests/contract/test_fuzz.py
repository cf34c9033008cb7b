"""No request, however odd, causes a 5xx, and every error in JSON has a reason and a request id.

Schemathesis generates the requests from the published OpenAPI description: half are valid, half invalid on purpose.
They are the same in every run.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from chalicelib.rights import EVERYTHING
from chalicelib.tenantadm import service as tenants
from chalicelib.useradm import service as users
from infra.scripts.compatibility import Operation, served
from tests.conftest import PASSWORD
from tests.contract.description import FILE, described, document, needed, operation
from tests.deployments.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis.core.transport import Response
    from schemathesis.schemas import APIOperation

    from infra.local.testing import LocalServer

pytestmark = needed

EXAMPLES = 8
"""Requests for each operation."""

ODD = ["0", "-1", "null", "a b", "%", "é", "x" * 300, "a'b\"c", "00000000-0000-0000-0000-000000000000", "{}", "a#b"]
"""A malformed id, and a well-formed one that does not exist."""

ENDS_SESSIONS = {Operation("/management/v1/useradm/auth/logout", "POST")}
"""Operations that invalidate the token, after which every answer is 401."""

EXCLUDED: set[Operation] = set()
"""Operations with a known 5xx, with the request that causes it."""


def fuzzed() -> list[Operation]:
    there = set(described()) if FILE.is_file() else set()
    return sorted((served() & there) - EXCLUDED)


@pytest.fixture(scope="module")
def operations() -> dict[Operation, APIOperation[Any, Any, Any, Any]]:
    """The description, loaded by schemathesis."""
    schema = schemathesis.openapi.from_dict(document())
    found: dict[Operation, APIOperation[Any, Any, Any, Any]] = {}
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        each = result.ok()
        found[operation(each.method, each.path)] = each
    return found


@contextmanager
def opened(server: LocalServer) -> Iterator[World]:
    """A new tenant with an administrator and a device."""
    tenant = tenants.create_tenant("Fuzzed")
    users.create_user(tenant.id, f"{tenant.id}@example.com", PASSWORD, by=EVERYTHING)
    with httpx2.Client(base_url=server.url, timeout=30) as http, httpx2.Client(base_url=server.url, timeout=30) as api:
        answer = http.post("/api/management/v1/useradm/auth/login", auth=(f"{tenant.id}@example.com", PASSWORD))
        assert answer.status_code == 200, answer.text
        api.headers["Authorization"] = f"Bearer {answer.text}"
        world = World(api, http, tenant.tenant_token)
        world.device()
        yield world


@pytest.fixture(scope="module")
def shared(server: LocalServer) -> Iterator[tuple[World, dict[str, str]]]:
    """The tenant for all operations that delete nothing."""
    with opened(server) as world:
        yield world, ids(world)


@pytest.fixture
def home(
    asked: Operation, server: LocalServer, shared: tuple[World, dict[str, str]]
) -> Iterator[tuple[World, dict[str, str]]]:
    """A tenant for the requests, and its existing ids."""
    if asked.method in {"GET", "POST"} and asked not in ENDS_SESSIONS:
        yield shared
        return
    with opened(server) as world:
        yield world, ids(world) if "{}" in asked.path else {}


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        yield made


def ids(world: World) -> dict[str, str]:
    """Existing ids, by the preceding segment of the path."""
    device = world.api.get("/api/management/v2/devauth/devices").json()[0]
    user = world.api.get("/api/management/v1/useradm/users").json()[0]
    world.upload("fuzzed")
    artifact = world.api.get("/api/management/v1/deployments/artifacts").json()[0]["id"]
    hook = {"type": "http", "http": {"url": "https://fuzzed.example"}}
    made = world.api.post(
        "/api/management/v1/iot-manager/integrations", json={"provider": "webhook", "credentials": hook}
    )
    integration = made.headers["Location"].rsplit("/", 1)[-1]
    return {
        "integrations": integration,
        "state": integration,
        "device": device["id"],
        "devices": device["id"],
        "auth": device["auth_sets"][0]["id"],
        "users": user["id"],
        "artifacts": artifact,
        "deployments": world.deploy("fuzzed", [device["id"]]),
    }


def path_values(path: str, known: dict[str, str]) -> st.SearchStrategy[dict[str, str]]:
    """Values for the variables of a path, mostly existing ids."""
    parts = path.split("/")
    values = {}
    for before, part in pairwise(parts):
        if part.startswith("{"):
            real = known.get(before, "fuzzed")
            values[part.strip("{}")] = st.one_of(st.just(real), st.just(real), st.sampled_from(ODD))
    return st.fixed_dictionaries(values)


def odd_bodies() -> st.SearchStrategy[tuple[str, bytes]]:
    """A content type, and a body that need not match it."""
    types = st.sampled_from(
        ["application/json", "text/plain", "multipart/form-data; boundary=b", "application/xml", ";"]
    )
    bodies = st.sampled_from(
        [b"", b"{", b"null", b"[]", b"{}", b"[[]]", b'"\\ud800"', b'{"a":1e999}', b"\xff\xfe", b"--b--", b"[" * 2000]
    )
    return st.tuples(types, bodies)


def check(answer: Response, asked: Operation) -> None:
    """Check what holds for every answer."""
    told = f"{answer.request.method} {answer.request.url} {answer.request.headers} {answer.request.body!r}"
    assert answer.status_code < 500, f"{answer.status_code} {answer.text_lossy()} for {told}"
    json = answer.headers.get("content-type", [""])[0].startswith("application/json")
    if answer.status_code < 400 or not json or not answer.content:
        return
    body = answer.json()
    preauthorized = answer.status_code == 409 and asked == Operation("/management/v2/devauth/devices", "POST")
    if not (preauthorized and "auth_sets" in body):
        assert {"error", "request_id"} <= set(body), f"{answer.status_code} {body} for {told}"


@pytest.mark.parametrize("asked", fuzzed(), ids=lambda asked: f"{asked.method} {asked.path}")
def test_no_request_causes_a_5xx(
    asked: Operation,
    operations: dict[Operation, APIOperation[Any, Any, Any, Any]],
    server: LocalServer,
    home: tuple[World, dict[str, str]],
    session: requests.Session,
):
    target = operations[asked]
    world, known = home
    token = world.api.headers["Authorization"]
    if asked.path.startswith("/devices/"):
        token = f"Bearer {world.devices[0].token}"
    statuses: Counter[int] = Counter()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from(list(schemathesis.GenerationMode)))
        case = data.draw(target.as_strategy(mode))
        case.path_parameters = data.draw(path_values(target.path, known))
        # An invalid request may have invalid credentials, which the tests of all routes check.
        case.headers.pop("Authorization", None)
        headers = {"Authorization": token}
        more: dict[str, Any] = {}
        if target.body and data.draw(st.integers(0, 3)) == 0:
            headers["Content-Type"], more["data"] = data.draw(odd_bodies())
        answer = case.call(base_url=server.url, session=session, headers=headers, timeout=30, **more)
        statuses[answer.status_code] += 1
        check(answer, asked)

    ask()
    print("answers:", dict(statuses))
    if asked not in ENDS_SESSIONS:
        assert set(statuses) - {401, 403}, "no request passed authentication"

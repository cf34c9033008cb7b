"""Tenants are isolated: on no route and with no id can a tenant see, change, count or detect another tenant's data."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from chalicelib.http.identity import Auth
from chalicelib.tenantadm import service
from tests.all_routes.table import Route, routes
from tests.all_routes.tenants import BODIES, Tenant, Values
from tests.conftest import PASSWORD
from tests.deployments.world import World, serves

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant as TenantRecord
    from infra.local.testing import LocalServer
    from tests.conftest import SignIn

OPEN_TO_ALL = {
    "GET /management/v1/useradm/auth/sso/{id}/login",
    "GET /management/v1/useradm/oidc/{id}/callback",
    "GET /management/v1/useradm/oidc/{id}/start",
}
"""Anyone who knows an identity provider's id may start a login there; the caller has no tenant yet."""

_M1, _M2 = "/management/v1", "/management/v2"
_GONE, _TAKEN = "deleting what does not exist succeeds", "it accepts values for unknown objects"
_UPGRADE, _DELTA = "a websocket: tests/deviceconnect/test_sessions.py", "no deltas are generated"
_FIXED, _MEMBERS = "names of the server, the same for all tenants", "devices are named in the body: tested below"
ALIKE = {
    "GET /devices/v1/deployments/download/configuration/{deployment_id}/{device_type}/{device_id}": "tested below",
    "GET /ui/assets/{file}": _FIXED,
    "GET /ui/{file}": _FIXED,
    f"GET {_M1}/deployments/limits/{{name}}": _FIXED,
    f"GET {_M2}/devauth/limits/{{name}}": _FIXED,
    f"GET {_M1}/devicemonitor/settings/global/channel/alerts/{{name}}/status": _FIXED,
    f"PUT {_M1}/devicemonitor/settings/global/channel/alerts/{{name}}/status": _FIXED,
    f"GET {_M1}/deployments/{{id}}/devices/{{device_id}}/delta/status": _DELTA,
    f"GET {_M2}/deployments/deployments/releases/delta/jobs/{{id}}": _DELTA,
    f"GET {_M1}/deviceconnect/devices/{{id}}/connect": _UPGRADE,
    f"GET {_M1}/deviceconnect/sessions/{{id}}/playback": _UPGRADE,
    f"DELETE {_M1}/inventory/groups/{{name}}/devices": _MEMBERS,
    f"PATCH {_M1}/inventory/groups/{{name}}/devices": _MEMBERS,
    f"PATCH {_M1}/inventory/devices/{{id}}/tags": _TAKEN,
    f"PUT {_M1}/inventory/devices/{{id}}/tags": _TAKEN,
    f"PUT {_M1}/deviceconfig/configurations/device/{{id}}": _TAKEN,
    f"DELETE {_M1}/deployments/deployments/devices/{{id}}": _GONE,
    f"DELETE {_M1}/deployments/deployments/devices/{{id}}/history": _GONE,
    f"DELETE {_M1}/inventory/devices/{{id}}": _GONE,
    f"DELETE {_M1}/inventory/groups/{{name}}": _GONE,
    f"DELETE {_M1}/useradm/roles/{{id}}": _GONE,
    f"DELETE {_M1}/useradm/settings/tokens/{{id}}": _GONE,
    f"DELETE {_M2}/inventory/filters/{{id}}": _GONE,
    f"DELETE {_M2}/useradm/permission_sets/{{id}}": _GONE,
    f"DELETE {_M2}/useradm/roles/{{id}}": _GONE,
}
"""Routes that answer the same for every name, and why. ``Tenant.snapshot`` shows that they change nothing."""

HEXADECIMAL = re.compile(r"[0-9a-f]{6,}")
FRESH = re.compile(r"\d{4}-\d\d-\d\dT[^\"]*|[\w%.=-]{20,}|[0-9a-f-]{6,}")
"""Ids, times, signatures, and names made from them, which differ in every call."""

VARIES = {"content-length", "date", "x-men-requestid"}
"""Headers that differ in every call, or with the length of a name."""


class Answer(NamedTuple):
    """What a caller learns from an answer, without the requested names and values that differ in every call."""

    status: int
    headers: dict[str, str]
    body: str


@pytest.fixture
def mine(server: LocalServer, api: httpx2.Client, http: httpx2.Client, tenant: TenantRecord) -> Iterator[Tenant]:
    with full(server, World(api, http, tenant.tenant_token)) as made:
        yield made


@pytest.fixture
def theirs(server: LocalServer, http: httpx2.Client, sign_in: SignIn) -> Iterator[Tenant]:
    other = service.create_tenant("Other")
    with full(server, World(sign_in(other), http, other.tenant_token)) as made:
        yield made


@contextmanager
def full(server: LocalServer, world: World) -> Iterator[Tenant]:
    made = Tenant(world)
    made.add_child()
    with made.connected(server.url):
        yield made


def plain(text: str, names: Values) -> str:
    for name in sorted(names.values(), key=len, reverse=True):
        text = text.replace(name, "NAME")
    return re.sub(r'"request_id":"[^"]*"', "", text)


def normalized(answer: httpx2.Response, names: Values) -> Answer:
    told = {name: plain(value, names) for name, value in answer.headers.items() if name not in VARIES}
    return Answer(answer.status_code, told, plain(answer.text, names))


def ask(tenant: Tenant, route: Route, values: Values) -> Answer:
    body = BODIES.get(route.name)
    if route.spec.auth is Auth.DEVICE:
        headers = {"Authorization": f"Bearer {tenant.device.token}"}
        answer = tenant.world.http.request(route.spec.method, route.uri(values), json=body, headers=headers)
    else:
        answer = tenant.world.api.request(route.spec.method, route.uri(values), json=body)
    return normalized(answer, values)


def unknown_names(values: Values) -> Values:
    """Names that do not exist."""
    unknown = str(uuid.uuid4())
    return {name: f"none-{unknown[:8]}" if name == "name" else unknown for name in values}


def named(server: LocalServer) -> list[Route]:
    """Routes with path variables; those that delete something come last."""
    found = [route for route in routes(server.app) if route.variables and route.name not in OPEN_TO_ALL]
    verbs = ("GET", "POST", "PUT", "PATCH", "DELETE")

    def order(route: Route) -> tuple[bool, bool, int, int]:
        verb = verbs.index(route.spec.method)
        return "/devauth/" in route.spec.path, verb > 1, -len(route.variables), verb

    return sorted(found, key=order)


def test_ids_of_another_tenant_are_answered_like_unknown_ids(server, mine: Tenant, theirs: Tenant) -> None:
    before = theirs.snapshot()
    for route in named(server):
        for values in theirs.values(route.spec.path):
            assert ask(mine, route, values) == ask(mine, route, unknown_names(values)), (route.name, values)
    theirs.world.http.cookies.clear()
    assert mine.world.api.get("/api/management/v1/useradm/users/me").status_code == 200
    assert theirs.snapshot() == before


def test_every_route_accepts_an_id_of_the_own_tenant(server, mine: Tenant) -> None:
    # Otherwise the test above would pass for a route for which there is no id of the right kind.
    untouched = {
        route.name
        for route in named(server)
        if all(
            ask(mine, route, values) == ask(mine, route, unknown_names(values))
            for values in mine.values(route.spec.path)
        )
    }

    assert untouched == ALIKE.keys()


def test_lists_and_totals_cover_the_own_tenant_only(server, mine: Tenant, theirs: Tenant) -> None:
    for route in routes(server.app):
        if route.spec.method != "GET" or "{" in route.spec.path or route.spec.auth is not Auth.USER:
            continue
        answer = mine.world.api.get(route.uri())
        text = answer.text + str(answer.headers)
        assert answer.status_code < 500, route.name
        for secret in theirs.secrets():
            assert secret not in text, (route.name, secret)
    totals = mine.world.api.get("/api/management/v1/deployments/deployments").headers["X-Total-Count"]
    assert totals == "1"


def queries(of: Values) -> Iterator[Values]:
    """Query parameters for lists, one at a time."""
    for names, value in (
        ("id device_id object_id search", of["device"]),
        ("deployment_id", of["deployment"]),
        ("name artifact_name", of["release"]),
        ("group", of["group"]),
        ("user actor", of["user"]),
        ("email", of["email"]),
        ("integration_id", of["integration"]),
    ):
        yield from ({name: value} for name in names.split())


def bodies(of: Values) -> Iterator[Any]:
    """Bodies that would change the objects that they name, for any kind of route."""
    device, deployment, release, name = of["device"], of["deployment"], of["release"], of["release"]
    term = {"scope": "identity", "attribute": "id", "type": "$eq", "value": device}
    group = {"scope": "system", "attribute": "group", "type": "$eq", "value": of["group"]}
    yield [device, deployment, release]
    yield {"id": device, "filters": [term], "search": device}
    yield {"id": [device], "filters": [group], "deployment_ids": [deployment], "device_ids": [device]}
    yield {"name": name, "artifact_name": release, "devices": [device], "terms": [term], "email": of["email"]}
    yield {"name": name, "artifact_name": release, "filter_id": of["filter"], "expires_in": 86_400}
    yield {"name": name, "permission_sets_with_scope": [{"name": of["set"]}], "roles": [of["role"]]}
    yield {"email": f"{name}@example.com", "roles": [of["role"]], "tenant_ids": [of["tenant"]], "password": PASSWORD}


def test_ids_in_bodies_and_queries_are_of_the_own_tenant_only(
    server: LocalServer, mine: Tenant, theirs: Tenant
) -> None:
    before = theirs.snapshot()
    known = theirs.names()
    unknown = {
        name: HEXADECIMAL.sub(lambda found: uuid.uuid4().hex[-len(found[0]) :], each) for name, each in known.items()
    }
    wrong = []
    for route in routes(server.app):
        # Accounts are unique on the whole server.
        exempt = route.spec.path.endswith(("/logout", "/users/exists"))
        if route.variables or route.spec.auth is not Auth.USER or exempt:
            continue
        kind, forms = ("params", queries) if route.spec.method == "GET" else ("json", bodies)
        for pair in zip(forms(known), forms(unknown), strict=True):
            told = [mine.world.api.request(route.spec.method, route.uri(), **{kind: each}) for each in pair]
            apart = {(each.status_code, each.headers.get("x-total-count"), FRESH.sub("", each.text)) for each in told}
            if len(apart) > 1:
                wrong.append(f"{route.name} {pair[0]}: {[each.text[:300] for each in told]}")
    assert not wrong, "\n".join(wrong)
    assert theirs.snapshot() == before
    serves(theirs.device.poll(), theirs.deployment)


def test_lists_of_ids_are_of_the_own_tenant_only(mine: Tenant, theirs: Tenant) -> None:
    api = mine.world.api
    before = theirs.snapshot()
    mine.world.deploy(mine.release, [theirs.device.id])
    moved = api.patch("/api/management/v1/inventory/groups/stolen/devices", json=[theirs.device.id])
    assert "updated_count" not in moved.json()
    assert api.delete(f"/api/management/v2/deployments/deployments/releases?name={theirs.release}").status_code == 204
    assert theirs.snapshot() == before
    serves(theirs.device.poll(), theirs.deployment)


def test_a_configuration_link_is_valid_for_its_own_tenant_only(mine: Tenant, theirs: Tenant) -> None:
    place = f"/api/management/v1/deviceconfig/configurations/device/{theirs.device.id}/deploy"
    deployment = theirs.world.api.post(place, json={}).json()["deployment_id"]
    theirs.device.report(theirs.deployment, "success")
    link = serves(theirs.device.poll(), deployment)["source"]["uri"]
    their_id, my_id = (str(each.device.claims["mender.tenant"]) for each in (theirs, mine))
    assert theirs.world.http.get(link).status_code == 200
    assert theirs.world.http.get(link.replace(their_id, my_id)).status_code == 403


def test_a_tenant_token_is_valid_for_its_own_tenant_only(mine: Tenant, theirs: Tenant) -> None:
    twin = mine.world.device(identity=theirs.device.identity)
    assert twin.id != theirs.device.id
    assert twin.claims["mender.tenant"] != theirs.device.claims["mender.tenant"]

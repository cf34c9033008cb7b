"""Promise T4: no right, no answer; and of what lies outside of a user's groups or tags, no trace on any route.

The walk knows no route by name: it takes all that the app has, so a new one is walked as it is written.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from chalicelib.http.identity import Auth
from chalicelib.rights import Permission
from chalicelib.roles import rules
from tests.all_routes.halves import Half
from tests.all_routes.table import Route, routes
from tests.deployments.world import World
from tests.roles.test_roles import ROLES, role, scoped

if TYPE_CHECKING:
    import httpx2

    from chalicelib.http.access import Kind
    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer
    from tests.conftest import SignIn

DECLARED: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"/device/\{(\w+)\}|\{(device_?[iI]d)\}|(?<!/alerts)/devices/\{(\w+)\}"), "device"),
    (re.compile(r"/artifacts/\{(\w+)\}"), "artifact"),
    (re.compile(r"/releases/\{(\w+)\}"), "release"),
    (re.compile(r"/deployments/deployments/\{(\w+)\}"), "deployment"),
    (re.compile(r"/(?:auth|devauth/tokens)/\{(\w+)\}"), "auth_set"),
)
"""Variables by the path around them, and the declaration that each needs."""

SCOPED = sorted(rules.SCOPES[rules.GROUPS])


def user_routes(server: LocalServer) -> list[Route]:
    """Every operation of users, but the one that ends the session."""
    return [
        route
        for route in routes(server.app)
        if route.spec.auth is Auth.USER and not route.spec.path.endswith("/auth/logout")
    ]


def test_what_a_path_names_is_declared(server: LocalServer):
    missing = [
        f"{route.name}: {kind}"
        for route in user_routes(server)
        for pattern, kind in DECLARED
        for found in pattern.finditer(route.spec.path)
        if route.spec.within.get(kind) != next(filter(None, found.groups()))
    ]
    assert missing == []


def denied(answer: httpx2.Response) -> bool:
    """Whether a right was missing; other refusals have words of their own."""
    return answer.status_code == 403 and answer.json().get("error") == "forbidden"


@pytest.mark.parametrize("name", [*rules.SETS])
def test_each_permission_set_opens_its_routes_and_no_others(
    server: LocalServer, api: httpx2.Client, sign_in: SignIn, tenant: Tenant, name: str
):
    assert api.post(ROLES, json=role("R", scoped(name))).status_code == 201
    user = sign_in(tenant, "R")
    given = rules.SETS[name] | {Permission.BASIC}
    wrong = []
    for route in user_routes(server):
        answer = route.call(user)
        if denied(answer) is (route.spec.permission in given):
            wrong.append(f"{route.name} ({route.spec.permission}): {answer.status_code} {answer.text}")
    assert wrong == []


@dataclass
class Halves:
    """A tenant, of which users may see one half."""

    world: World
    inside: Half
    outside: Half

    def traces(self, user: httpx2.Client, server: LocalServer, secrets: list[str]) -> list[str]:
        """Every call of every route that names the outer half, and was answered with something of it."""
        found = []
        # Looked at first: what can be taken away must not be gone when it is asked for.
        for route in sorted(user_routes(server), key=lambda route: route.spec.method != "GET"):
            for values in self.outside.values(route) if route.variables else ({},):
                for query in self.outside.queries(route):
                    for body in self.outside.bodies(route):
                        answer = route.call(user, values, body=body, params=query)
                        # Links repeat the query.
                        headers = {name: value for name, value in answer.headers.items() if name != "link"}
                        told = answer.text + json.dumps(headers)
                        # A refusal may say again what it refuses.
                        sent = json.dumps([values, query, [] if body is ... else body])
                        again = sent if answer.status_code >= 400 else ""
                        seen = [secret for secret in secrets if secret in told and secret not in again]
                        if seen and not denied(answer):
                            found.append(f"{route.name} {values} {query} {body}: {answer.status_code} {seen}")
        return found


@pytest.fixture
def halves(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> Halves:
    world = World(api, http, tenant.tenant_token)
    return Halves(world, Half(world), Half(world))


@pytest.fixture
def of_group(halves: Halves, sign_in: SignIn, tenant: Tenant) -> httpx2.Client:
    """A user who may do everything with the devices of the inner half, and see all releases."""
    sets = [scoped(name, halves.inside.group) for name in SCOPED]
    releases = [scoped(name) for name in ("ReadReleases", "UploadArtifacts", "ManageTokens", "ReadTenants")]
    assert halves.world.api.post(ROLES, json=role("G", *sets, *releases)).status_code == 201
    return sign_in(tenant, "G")


@pytest.fixture
def of_tag(halves: Halves, sign_in: SignIn, tenant: Tenant) -> httpx2.Client:
    """A user who may do everything with the releases of the inner half, and with all devices."""
    sets = [scoped(name) for name in (*SCOPED, "ManageTokens", "ReadTenants")]
    sets += [scoped("ManageReleases", halves.inside.tag, kind="ReleaseTags")]
    assert halves.world.api.post(ROLES, json=role("T", *sets)).status_code == 201
    return sign_in(tenant, "T")


def test_no_trace_of_devices_of_other_groups(halves: Halves, of_group: httpx2.Client, server: LocalServer):
    before = halves.outside.state()

    assert halves.traces(of_group, server, halves.outside.of_devices()) == []
    assert halves.outside.state() == before


def test_no_trace_of_releases_with_other_tags(halves: Halves, of_tag: httpx2.Client, server: LocalServer):
    before = halves.outside.state()

    assert halves.traces(of_tag, server, halves.outside.of_releases()) == []
    after = halves.outside.state()
    kept = [path for path in before if "/artifacts/" in path or "/releases/" in path or "/deployments/" in path]
    assert {path: after[path] for path in kept} == {path: before[path] for path in kept}

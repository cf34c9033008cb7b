"""Every route refuses callers without its permission, and reveals nothing outside of the scope of their role.

The tests take the app's route table, so new routes are covered.
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
from tests.all_routes.scoped_data import ScopedData
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
"""Path variables by the text around them, and the ``within`` declaration that each needs."""

SCOPED = sorted(rules.SCOPES[rules.GROUPS])


def user_routes(server: LocalServer) -> list[Route]:
    """All routes for users, except logout."""
    return [
        route
        for route in routes(server.app)
        if route.spec.auth is Auth.USER and not route.spec.path.endswith("/auth/logout")
    ]


def test_routes_declare_the_objects_that_their_path_names(server: LocalServer):
    missing = [
        f"{route.name}: {kind}"
        for route in user_routes(server)
        for pattern, kind in DECLARED
        for found in pattern.finditer(route.spec.path)
        if route.spec.within.get(kind) != next(filter(None, found.groups()))
    ]
    assert missing == []


def denied(answer: httpx2.Response) -> bool:
    """Whether a permission was missing; other refusals have other texts."""
    return answer.status_code == 403 and answer.json().get("error", "").startswith("forbidden: your roles")


@pytest.mark.parametrize("name", [*rules.SETS])
def test_each_permission_set_allows_its_own_routes_only(
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
class TwoScopes:
    """A tenant with data inside and outside of a user's scope."""

    world: World
    inside: ScopedData
    outside: ScopedData

    def traces(self, user: httpx2.Client, server: LocalServer, secrets: list[str]) -> list[str]:
        """All calls that name objects outside of the scope and were answered with something about them."""
        found = []
        # Deletions come last, so that everything still exists while it is read.
        for route in sorted(user_routes(server), key=lambda route: route.spec.method != "GET"):
            for values in self.outside.values(route) if route.variables else ({},):
                for query in self.outside.queries(route):
                    for body in self.outside.bodies(route):
                        answer = route.call(user, values, body=body, params=query)
                        # Links to other pages repeat the query.
                        headers = {name: value for name, value in answer.headers.items() if name != "link"}
                        told = answer.text + json.dumps(headers)
                        # A refusal may repeat what the caller has sent.
                        sent = json.dumps([values, query, [] if body is ... else body])
                        again = sent if answer.status_code >= 400 else ""
                        seen = [secret for secret in secrets if secret in told and secret not in again]
                        if seen and not denied(answer):
                            found.append(f"{route.name} {values} {query} {body}: {answer.status_code} {seen}")
        return found


@pytest.fixture
def two_scopes(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> TwoScopes:
    world = World(api, http, tenant.tenant_token)
    return TwoScopes(world, ScopedData(world), ScopedData(world))


@pytest.fixture
def of_group(two_scopes: TwoScopes, sign_in: SignIn, tenant: Tenant) -> httpx2.Client:
    """A user who may do everything with the devices in one group, and see all releases."""
    sets = [scoped(name, two_scopes.inside.group) for name in SCOPED]
    releases = [scoped(name) for name in ("ReadReleases", "UploadArtifacts", "ManageTokens", "ReadTenants")]
    assert two_scopes.world.api.post(ROLES, json=role("G", *sets, *releases)).status_code == 201
    return sign_in(tenant, "G")


@pytest.fixture
def of_tag(two_scopes: TwoScopes, sign_in: SignIn, tenant: Tenant) -> httpx2.Client:
    """A user who may do everything with the releases of one tag, and with all devices."""
    sets = [scoped(name) for name in (*SCOPED, "ManageTokens", "ReadTenants")]
    sets += [scoped("ManageReleases", two_scopes.inside.tag, kind="ReleaseTags")]
    assert two_scopes.world.api.post(ROLES, json=role("T", *sets)).status_code == 201
    return sign_in(tenant, "T")


def test_nothing_about_devices_of_other_groups_is_revealed(
    two_scopes: TwoScopes, of_group: httpx2.Client, server: LocalServer
):
    before = two_scopes.outside.state()

    assert two_scopes.traces(of_group, server, two_scopes.outside.of_devices()) == []
    assert two_scopes.outside.state() == before


def test_nothing_about_releases_with_other_tags_is_revealed(
    two_scopes: TwoScopes, of_tag: httpx2.Client, server: LocalServer
):
    before = two_scopes.outside.state()

    assert two_scopes.traces(of_tag, server, two_scopes.outside.of_releases()) == []
    after = two_scopes.outside.state()
    kept = [path for path in before if "/artifacts/" in path or "/releases/" in path or "/deployments/" in path]
    assert {path: after[path] for path in kept} == {path: before[path] for path in kept}

"""What each management route gives access to, and which permissions and sign-in it requires (``access.TABLE``).

A route of the app that is missing from the tables fails the first of these tests: add new routes there.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.http import signin
from chalicelib.http.identity import Auth
from chalicelib.http.signin import SignIn
from chalicelib.roles import rules
from chalicelib.tenantadm import service
from chalicelib.useradm.service import proving
from tests.all_routes.access import PLAIN, READS, T2, TABLE, U1, U2, Affects, Covers
from tests.all_routes.table import NOTHING, Route, routes
from tests.all_routes.tenants import identity_provider
from tests.conftest import PASSWORD
from tests.deployments.world import World
from tests.roles.test_roles import ROLES, SETS, role, scoped
from tests.support.sessions import age_session

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer
    from tests.conftest import SignIn as SignsIn

USERS = f"/api{U1}/users"
TENANTS = f"/api{T2}/tenants"
EVERYTHING = {"action": "any", "object": {"type": "any", "value": "any"}}
LIMITED = ("ManageUsers", "ManageTenants", "ManageTokens")
"""Permission sets of a user who manages users and tenants, and may do nothing else."""


@pytest.fixture
def user_routes(server: LocalServer) -> list[Route]:
    """All routes for users; logout comes last."""
    found = [route for route in routes(server.app) if route.spec.auth is Auth.USER]
    return sorted(found, key=lambda route: route.spec.path.endswith("/auth/logout"))


@pytest.fixture
def provider(tenant: Tenant) -> Tenant:
    """The tenant, as a service provider."""
    service.set_service_provider(tenant.id, enabled=True)
    return tenant


@pytest.fixture
def limited(api: httpx2.Client, sign_in: SignsIn, provider: Tenant) -> httpx2.Client:
    """A user who manages users and tenants, and may do nothing else."""
    assert api.post(ROLES, json=role("Few", *map(scoped, LIMITED))).status_code == 201
    return sign_in(provider, "Few")


def id_of(client: httpx2.Client) -> str:
    return str(client.get(f"{USERS}/me").json()["id"])


def last(answer: httpx2.Response) -> str:
    """The id or name of what was created."""
    assert answer.is_success, answer.text
    return answer.headers["Location"].rpartition("/")[2]


def error_of(answer: httpx2.Response) -> str | None:
    """The text of a refusal by 403; None if there is none."""
    return str(answer.json().get("error")) if answer.status_code == 403 else None


def test_every_route_is_in_one_of_the_tables(user_routes: list[Route]):
    asked = {
        route.name
        for route in user_routes
        if route.spec.method != "GET" or "/useradm/" in route.spec.path or "/tenantadm/" in route.spec.path
    }

    assert sorted(TABLE.keys() | PLAIN.keys() | READS) == sorted(asked)
    assert not TABLE.keys() & (PLAIN.keys() | READS)


def test_every_route_requires_the_permission_in_the_table(user_routes: list[Route]):
    declared = {route.name: (route.spec.permission, route.spec.sign_in) for route in user_routes}

    said = {name: (access.permission, access.sign_in) for name, access in TABLE.items()}
    assert {name: declared[name] for name in TABLE} == said
    assert {name for name, (_, wanted) in declared.items() if wanted is not SignIn.ANY} <= set(TABLE)


def test_a_personal_access_token_cannot_change_credentials(
    server: LocalServer, api: httpx2.Client, user_routes: list[Route], provider: Tenant
):
    token = api.post(f"/api{U1}/settings/tokens", json={"name": "script", "expires_in": 600}).text
    script = api.__class__(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    refused = set()
    for route in user_routes:
        answer = route.call(script, body={"current_password": PASSWORD, "name": "x"})
        assert answer.status_code != 401, f"{route.name}: the token is gone"
        if error_of(answer) == signin.PERSONAL:
            refused.add(route.name)

    assert refused == {name for name, access in TABLE.items() if access.sign_in is not SignIn.ANY}
    assert id_of(api)
    script.close()


def test_an_old_session_cannot_change_credentials(api: httpx2.Client, user_routes: list[Route], provider: Tenant):
    recent = {name for name, access in TABLE.items() if access.sign_in in {SignIn.RECENT, SignIn.FACTOR}}
    age_session(api)
    asked = {route.name for route in user_routes[:-1] if error_of(route.call(api)) == proving.NOT_SHOWN}
    assert asked == recent

    for route in user_routes:
        if route.name in recent:
            age_session(api)
            answer = route.call(api, body={"current_password": PASSWORD})
            assert error_of(answer) != proving.NOT_SHOWN, route.name


def test_a_wrong_password_does_not_refresh_a_sign_in(api: httpx2.Client):
    age_session(api)
    place = f"/api{U1}/settings/tokens"

    for given, status in (({"current_password": "another-one"}, 422), ({"token2fa": "123456"}, 403), ({}, 403)):
        assert api.post(place, json={"name": "x", "expires_in": 60} | given).status_code == status, given
    assert api.get(place).json() == []
    assert api.post(place, json={"name": "x", "expires_in": 60, "current_password": PASSWORD}).status_code == 200
    assert api.post(place, json={"name": "y", "expires_in": 60}).status_code == 200, "shown a moment ago"


def test_changing_the_address_of_another_user_requires_a_recent_sign_in(limited: httpx2.Client):
    """The receiver of an account's mails can set its password."""
    made = f"{USERS}/{last(limited.post(USERS, json=new_user('Few')))}"
    age_session(limited)
    wanted = {"email": f"{uuid.uuid4().hex}@example.com"}

    assert error_of(limited.put(made, json=wanted)) == proving.NOT_SHOWN
    assert limited.put(made, json={"roles": []}).status_code == 403
    assert limited.put(made, json=wanted | {"current_password": "another-one"}).status_code == 422
    assert limited.put(made, json=wanted | {"current_password": PASSWORD}).status_code == 204
    assert limited.get(made).json()["email"] == wanted["email"]


def test_some_routes_always_ask_for_the_password(api: httpx2.Client, tenant: Tenant, provider: Tenant):
    me = id_of(api)
    setup = {
        f"PUT {U1}/users/{{id}}": ("PUT", f"{USERS}/{me}", {"password": "another-long-one"}, 422),
        f"PUT {U1}/users/me": ("PUT", f"{USERS}/me", {"email": f"{uuid.uuid4().hex}@example.com"}, 422),
        f"PUT {U2}/users/me": ("PUT", f"/api{U2}/users/me", {"password": "another-long-one"}, 422),
        f"POST {U1}/users/me/email-change/start": (
            "POST",
            f"{USERS}/me/email-change/start",
            {"email": f"{uuid.uuid4().hex}@example.com"},
            422,
        ),
        f"POST {T2}/tenants/{{id}}/cancel": ("POST", f"{TENANTS}/{tenant.id}/cancel", {"reason": "moved"}, 403),
    }
    assert setup.keys() == {name for name, access in TABLE.items() if access.password}

    for name, (method, place, body, status) in setup.items():
        for given in ({}, {"token2fa": "123456"}):
            assert api.request(method, place, json=body | given).status_code == status, (name, given)
    assert id_of(api) == me
    ended = api.post(f"{TENANTS}/{tenant.id}/cancel", json={"reason": "moved", "current_password": PASSWORD})
    assert ended.status_code == 202, ended.text


@dataclass
class Setup:
    """Objects for calls that exceed the permissions of a user who only manages users and tenants."""

    api: httpx2.Client
    tenant: Tenant
    limited: httpx2.Client
    admin: str
    """The id of another administrator."""
    me: str
    child: str
    sso: str

    def state(self) -> list[Any]:
        """Everything that could have changed."""
        places = (USERS, ROLES, SETS, f"/api{U1}/sso/idp/metadata", f"/api{T2}/tenants", f"/api{T2}/settings")
        shown = [self.api.get(place).json() for place in (*places, f"/api{U1}/settings", f"{TENANTS}/me")]
        return [*shown, self.limited.get(f"{USERS}/me").json()]


@pytest.fixture
def setup(api: httpx2.Client, http: httpx2.Client, sign_in: SignsIn, provider: Tenant, limited: httpx2.Client) -> Setup:
    for name, body in (
        ("Big", role("Big", scoped("SuperUser"))),
        ("Mixed", role("Mixed", scoped("Small"), scoped("ManageReleases"))),
        ("Little", role("Little", scoped("ManageUsers"))),
    ):
        if name == "Mixed":
            assert api.post(SETS, json={"name": "Small", "permissions": []}).status_code == 201
        assert api.post(ROLES, json=body).status_code == 201
    for name, permissions in (("BigSet", [EVERYTHING]), ("LittleSet", [])):
        assert api.post(SETS, json={"name": name, "permissions": permissions}).status_code == 201
    child = {"name": "Child", "admin": {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}}
    return Setup(
        api,
        provider,
        limited,
        id_of(sign_in(provider)),
        id_of(limited),
        last(api.post(TENANTS, json=child)),
        identity_provider(World(api, http, provider.tenant_token), "secret"),
    )


def new_user(*roles: str) -> dict[str, Any]:
    return {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD, "roles": list(roles)}


Tried = tuple[str, Any]
"""A path, and a body."""
ANY_SET = {"permissions": [EVERYTHING]}
OIDC = {"well-known": "https://login.example.com", "client_id": "a", "client_secret": "b"}
EXCEEDING: dict[str, Callable[[Setup], list[Tried]]] = {
    f"POST {U1}/users": lambda _: [(USERS, new_user()), (USERS, new_user("RBAC_ROLE_OBSERVER", "Few"))],
    f"PUT {U1}/users/{{id}}": lambda s: [
        (f"{USERS}/{s.admin}", {"email": f"{uuid.uuid4().hex}@example.com"}),
        (f"{USERS}/{s.admin}", {"roles": ["Few"]}),
        (f"{USERS}/{s.me}", {"roles": ["RBAC_ROLE_PERMIT_ALL"]}),
        (f"{USERS}/{s.me}", {"roles": []}),
        (f"{USERS}/{s.me}", {"roles": ["Few", "Big"]}),
    ],
    f"DELETE {U1}/users/{{id}}": lambda s: [(f"{USERS}/{s.admin}", ...)],
    f"POST {U1}/users/{{id}}/invitation": lambda s: [(f"{USERS}/{s.admin}/invitation", ...)],
    f"PUT {U1}/users/me": lambda _: [(f"{USERS}/me", {"roles": []}), (f"{USERS}/me", {"roles": ["Few", "Mixed"]})],
    f"POST {U1}/roles": lambda _: [(f"/api{U1}/roles", role("New", scoped("ReadDevices")))],
    f"PUT {U1}/roles/{{id}}": lambda _: [
        (f"/api{U1}/roles/Big", role("Big")),
        (f"/api{U1}/roles/Few", role("Few", *map(scoped, LIMITED), scoped("ReadDevices"))),
    ],
    f"DELETE {U1}/roles/{{id}}": lambda _: [(f"/api{U1}/roles/Big", ...)],
    f"POST {U2}/roles": lambda _: [
        (ROLES, role("New", scoped("SuperUser"))),
        (ROLES, role("New", scoped("BigSet"))),
        (ROLES, role("New", permissions=[{"action": "http", "object": {"type": "any", "value": "/api/.*"}}])),
    ],
    f"PUT {U2}/roles/{{id}}": lambda _: [
        (f"{ROLES}/Big", role("Big")),
        (f"{ROLES}/Few", role("Few", *map(scoped, LIMITED), scoped("BigSet"))),
    ],
    f"DELETE {U2}/roles/{{id}}": lambda _: [(f"{ROLES}/Big", ...), (f"{ROLES}/Mixed", ...)],
    f"POST {U2}/permission_sets": lambda _: [(SETS, {"name": "New"} | ANY_SET)],
    f"PUT {U2}/permission_sets/{{id}}": lambda _: [
        (f"{SETS}/BigSet", {"permissions": []}),
        (f"{SETS}/LittleSet", ANY_SET),
        (f"{SETS}/Small", {"permissions": [], "description": "part of a role that has more"}),
    ],
    f"DELETE {U2}/permission_sets/{{id}}": lambda _: [(f"{SETS}/BigSet", ...)],
    f"POST {U1}/sso/idp/metadata": lambda _: [(f"/api{U1}/sso/idp/metadata", OIDC)],
    f"PUT {U1}/sso/idp/metadata/{{id}}": lambda s: [(f"/api{U1}/sso/idp/metadata/{s.sso}", OIDC)],
    f"DELETE {U1}/sso/idp/metadata/{{id}}": lambda s: [(f"/api{U1}/sso/idp/metadata/{s.sso}", ...)],
    f"POST {U1}/users/{{id}}/assign": lambda s: [
        (f"{USERS}/{s.me}/assign", {"tenant_ids": [s.child], "role": "RBAC_ROLE_PERMIT_ALL"}),
        (f"{USERS}/{s.me}/assign", {"tenant_ids": [s.child]}),
        (f"{USERS}/{s.admin}/assign", {"tenant_ids": []}),
    ],
    f"POST {T2}/tenants/{{id}}/plan": lambda s: [(f"{TENANTS}/{s.tenant.id}/plan", {"requested_plan": "os"})],
    f"POST {T2}/tenants/{{id}}/cancel": lambda s: [
        (f"{TENANTS}/{s.tenant.id}/cancel", {"reason": "moved", "current_password": PASSWORD})
    ],
    f"PUT {T2}/settings": lambda _: [(f"/api{T2}/settings", {"audit_days": 1})],
    f"POST {U1}/settings": lambda _: [(f"/api{U1}/settings", {"a": 1})],
}
"""By route, calls for which the caller lacks permissions."""


def test_users_cannot_give_change_or_take_permissions_that_they_lack(setup: Setup):
    assert {name for name, access in TABLE.items() if access.covers is not Covers.NOTHING} <= EXCEEDING.keys()
    before = setup.state()

    wrong = []
    for name, make in EXCEEDING.items():
        method = name.split()[0]
        for place, body in make(setup):
            answer = setup.limited.request(method, place, **({} if body is ... else {"json": body}))
            if answer.status_code != 403 or error_of(answer) in {signin.PERSONAL, proving.NOT_SHOWN}:
                wrong.append(f"{name} {place} {body}: {answer.status_code} {answer.text}")

    assert wrong == []
    assert setup.state() == before


def test_users_can_give_the_permissions_that_they_have(setup: Setup):
    """Otherwise the test above would pass on a server that refuses everything."""
    limited = setup.limited

    made = last(limited.post(USERS, json=new_user("Little")))
    assert limited.put(f"{USERS}/{made}", json={"roles": ["Few"]}).status_code == 204
    assert limited.put(f"{USERS}/{made}", json={"email": f"{uuid.uuid4().hex}@example.com"}).status_code == 204
    assert limited.delete(f"{USERS}/{made}").status_code == 204
    assert limited.put(f"{ROLES}/Little", json=role("Little")).status_code == 200
    assert limited.delete(f"{ROLES}/Little").status_code == 204
    assert limited.put(f"{SETS}/LittleSet", json={"permissions": []}).status_code == 200
    assert limited.delete(f"{SETS}/LittleSet").status_code == 204
    body = {"reason": "moved", "current_password": PASSWORD}
    assert limited.post(f"{TENANTS}/{setup.child}/cancel", json=body).status_code == 202


def test_managing_child_tenants_gives_no_permissions_in_the_own_tenant(
    setup: Setup, api: httpx2.Client, provider: Tenant
):
    own = f"{TENANTS}/{provider.id}"
    for place, body in (
        ("cancel", {"reason": "moved", "current_password": PASSWORD}),
        ("plan", {"requested_plan": "os"}),
    ):
        assert setup.limited.post(f"{own}/{place}", json=body).status_code == 403
    assert setup.limited.put(f"/api{T2}/settings", json={"audit_days": 1}).status_code == 403
    assert api.get(f"/api{T2}/settings").json()["audit_days"] == 0
    assert api.get(f"{TENANTS}/me").json()["status"] == "active"


def test_only_administrators_can_shorten_the_retention_of_the_audit_log(
    api: httpx2.Client, sign_in: SignsIn, tenant: Tenant
):
    """A role that may call the route by its path cannot do so either."""
    place = f"/api{T2}/settings"
    call = {"action": "http", "object": {"type": "PUT", "value": place}}
    assert api.post(ROLES, json=role("Caller", permissions=[call])).status_code == 201
    caller = sign_in(tenant, "Caller")

    assert caller.put(place, json={"device_timeout": 60}).status_code == 204
    assert api.put(place, json={"audit_days": 400}).status_code == 204
    for days in (399, 1, 0):
        assert caller.put(place, json={"audit_days": days}).status_code == 403, days
    assert caller.put(place, json={"audit_days": 500}).status_code == 204
    assert api.put(place, json={"audit_days": 30}).status_code == 204


def test_a_role_with_a_scope_cannot_change_data_of_the_whole_tenant(
    api: httpx2.Client, sign_in: SignsIn, tenant: Tenant, user_routes: list[Route]
):
    sets = [scoped(name, "in") for name in sorted(rules.SCOPES[rules.GROUPS])]
    sets += [scoped(name, "mine", kind="ReleaseTags") for name in sorted(rules.SCOPES[rules.TAGS])]
    assert api.post(ROLES, json=role("Confined", *sets)).status_code == 201
    confined = sign_in(tenant, "Confined")
    wide = {name for name, affects in PLAIN.items() if affects is Affects.TENANT}

    let_in = [route.name for route in user_routes if route.name in wide and route.call(confined).status_code != 403]

    assert let_in == []
    assert {route.name for route in user_routes if route.call(api).status_code == 403} & wide == set()


def test_not_every_user_can_replace_the_settings_of_the_tenant(api: httpx2.Client, sign_in: SignsIn, tenant: Tenant):
    place = f"/api{U1}/settings"
    assert api.post(place, json={"a": 1}).status_code == 201

    for roles in (["RBAC_ROLE_OBSERVER"], ["RBAC_ROLE_CI", "RBAC_ROLE_DEPLOYMENTS_MANAGER"]):
        user = sign_in(tenant, *roles)
        assert user.post(place, json={"a": 2}).status_code == 403
        assert user.post(f"{place}/me", json={"a": 2}).status_code == 201
        assert user.get(place).json() == {"a": 1}


def test_addresses_of_other_tenants_are_not_revealed(
    server: LocalServer, setup: Setup, sign_in: SignsIn, api: httpx2.Client
):
    stranger = service.create_tenant("Stranger")
    theirs = sign_in(stranger).get(f"{USERS}/me").json()["email"]
    mine = setup.limited.get(f"{USERS}/me").json()["email"]
    child = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    assert api.post(TENANTS, json={"name": "Child", "admin": child}).status_code == 202

    known = {
        address: setup.limited.get(f"{USERS}/exists", params={"email": address}).json()["exists"]
        for address in (theirs, mine, child["email"], "nobody@example.com")
    }

    assert known == {theirs: False, mine: True, child["email"]: True, "nobody@example.com": False}


def test_users_of_other_tenants_and_unknown_users_get_404(limited: httpx2.Client):
    assert limited.delete(f"{USERS}/{NOTHING}").status_code == 204
    assert limited.put(f"{USERS}/{NOTHING}", json={"roles": ["Few"]}).status_code == 404

"""Users of a service provider work in its child tenants, with roles there, as long as their own account exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import jwt
import pytest

from chalicelib.rights import EVERYTHING
from chalicelib.roles import service as roles
from chalicelib.roles.shapes import Role, Scope, ScopedSet
from chalicelib.tenantadm import service
from tests.conftest import PASSWORD
from tests.support.probe import counted
from tests.support.sessions import age_session
from tests.useradm.browser import BASE
from tests.useradm.conftest import LOGIN, ME, USERS, bearer, new_email

if TYPE_CHECKING:
    import httpx2

    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm.service import Tenant

DEVICES = "/api/management/v2/devauth/devices"
GROUPS = "/api/management/v1/inventory/groups"


@pytest.fixture
def provider(tenant: Tenant) -> Tenant:
    service.set_service_provider(tenant.id, enabled=True)
    return tenant


@pytest.fixture
def child(provider: Tenant) -> TenantId:
    return service.create_child(provider.id, "Child", new_email(), PASSWORD, devices={}).id


class Worker:
    """A signed-in user of the provider with read permissions only."""

    def __init__(self, api: httpx2.Client, http: httpx2.Client) -> None:
        self.api, self.http, self.email = api, http, new_email()
        made = api.post(USERS, json={"email": self.email, "password": PASSWORD, "roles": ["RBAC_ROLE_OBSERVER"]})
        self.id = made.headers["location"].rpartition("/")[2]
        self.token = http.post(LOGIN, auth=(self.email, PASSWORD)).text

    def assign(self, *tenants: str, role: str = "") -> int:
        body = {"tenant_ids": tenants} | ({"role": role} if role else {})
        return self.api.post(f"{USERS}/{self.id}/assign", json=body).status_code

    def switch(self, tenant: str, token: str = "") -> httpx2.Response:
        return self.http.get(f"{USERS}/tenants/{tenant}/token", headers=bearer(token or self.token))

    def get(self, path: str, token: str) -> int:
        return self.http.get(path, headers=bearer(token)).status_code


@pytest.fixture
def worker(api: httpx2.Client, http: httpx2.Client, provider: Tenant) -> Worker:
    return Worker(api, http)


def claims(token: str) -> dict[str, str]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def test_a_user_switches_to_a_tenant_and_back(worker: Worker, provider: Tenant, child: TenantId) -> None:
    assert worker.assign(child) == 200
    answer = worker.switch(child)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/jwt")
    there = answer.text
    assert claims(there)["mender.tenant"] == child
    shown = worker.http.get(ME, headers=bearer(there)).json()
    assert (shown["id"], shown["email"], shown["tenant_id"]) == (worker.id, worker.email, child)
    assert shown["tenant_ids"] == [provider.id, child]
    assert worker.get(DEVICES, there) == 200
    back = worker.switch(provider.id, there).text
    assert claims(back)["mender.tenant"] == provider.id
    assert worker.get(ME, back) == 200


def test_roles_are_those_in_the_current_tenant(worker: Worker, child: TenantId) -> None:
    worker.assign(child)
    there = worker.switch(child).text
    assert worker.get(USERS, there) == 403, "to look only"

    assert worker.assign(child, role="RBAC_ROLE_PERMIT_ALL") == 200

    assert worker.get(USERS, there) == 200
    assert worker.get(USERS, worker.token) == 403, "not so at home"
    assert worker.id not in {user["id"] for user in worker.http.get(USERS, headers=bearer(there)).json()}


def test_assigning_a_user_by_address(worker: Worker, api: httpx2.Client, child: TenantId) -> None:
    place = f"{USERS}/{worker.email.upper().replace('@', '%40')}/assign"

    assert api.post(place, json={"tenant_ids": [child]}).status_code == 200
    assert worker.switch(child).status_code == 200


@pytest.mark.parametrize("unknown", ["nothing", "a#b", "6d5f0b4e-0000-4000-8000-000000000001"])
def test_users_cannot_switch_to_tenants_to_which_they_are_not_assigned(
    worker: Worker, child: TenantId, unknown: str
) -> None:
    refused = worker.switch(unknown.replace("#", "%23"))
    other = worker.switch(child)

    assert refused.status_code == other.status_code == 400
    assert refused.json()["error"] == other.json()["error"]


def test_ending_an_assignment(worker: Worker, child: TenantId) -> None:
    worker.assign(child)
    there = worker.switch(child).text

    assert worker.assign() == 200

    assert worker.get(DEVICES, there) == 401
    assert worker.get(ME, worker.token) == 200
    assert worker.switch(child).status_code == 400


Act = Callable[["Worker", "Tenant", "TenantId", "str"], object]


def change_password(worker: Worker, *_: object) -> None:
    body = {"password": "another-long-enough-one", "current_password": PASSWORD}
    assert worker.http.put(ME, json=body, headers=bearer(worker.token)).status_code == 204


def suspend(tenant: TenantId) -> None:
    service.set_status(tenant, service.Status.SUSPENDED)


ENDS: dict[str, Act] = {
    "the user is deleted": lambda worker, *_: worker.api.delete(f"{USERS}/{worker.id}"),
    "a new password": change_password,
    "the own tenant is suspended": lambda _, provider, *__: suspend(provider.id),
    "the other tenant is suspended": lambda _, __, child, ___: suspend(child),
    "logout": lambda worker, _, __, there: worker.http.post(f"{BASE}/auth/logout", headers=bearer(there)),
}


@pytest.mark.parametrize("how", ENDS)
def test_events_that_end_a_session_in_another_tenant(
    worker: Worker, provider: Tenant, child: TenantId, how: str
) -> None:
    worker.assign(child)
    there = worker.switch(child).text
    assert worker.get(DEVICES, there) == 200

    ENDS[how](worker, provider, child, there)

    assert worker.get(DEVICES, there) == 401


def test_an_account_can_be_changed_in_its_own_tenant_only(worker: Worker, child: TenantId) -> None:
    worker.assign(child, role="RBAC_ROLE_PERMIT_ALL")
    there = bearer(worker.switch(child).text)
    http = worker.http

    assert http.put(ME, json={"password": "x" * 9, "current_password": PASSWORD}, headers=there).status_code == 404
    assert http.post(f"{ME}/2fa/enable", headers=there).status_code == 404
    assert http.post(f"{BASE}/settings/tokens", json={"name": "ci"}, headers=there).status_code == 404
    assert http.get(f"{BASE}/settings/tokens", headers=there).json() == []


def test_user_settings_are_the_same_in_all_tenants_and_tenant_settings_are_not(worker: Worker, child: TenantId) -> None:
    worker.assign(child)
    home, there = bearer(worker.token), bearer(worker.switch(child).text)
    assert worker.http.post(f"{BASE}/settings/me", json={"a": "mine"}, headers=home).status_code == 201
    assert worker.api.post(f"{BASE}/settings", json={"a": "home's"}).status_code == 201

    assert worker.http.get(f"{BASE}/settings/me", headers=there).json() == {"a": "mine"}
    assert worker.http.get(f"{BASE}/settings", headers=there).json() == {}


def test_an_access_token_cannot_switch_tenants(worker: Worker, child: TenantId) -> None:
    worker.assign(child)
    admin = worker.api.post(f"{BASE}/settings/tokens", json={"name": "ci", "expires_in": 60}).text
    own = claims(admin)["mender.tenant"]

    assert worker.switch(own, admin).status_code == 403


def test_only_own_users_can_be_assigned_to_own_tenants(
    worker: Worker, api: httpx2.Client, child: TenantId, sign_in, http
) -> None:
    other = service.create_tenant("Other")
    stranger = sign_in(other)
    theirs = stranger.get(ME).json()

    assert worker.assign(other.id) == 404
    assert worker.assign("nothing") == 404
    for who in (theirs["id"], theirs["email"], new_email(), "@"):
        assert api.post(f"{USERS}/{who}/assign", json={"tenant_ids": [child]}).status_code == 404
    assert stranger.post(f"{USERS}/{theirs['id']}/assign", json={"tenant_ids": [child]}).status_code == 404
    assert worker.assign(child, role="NOBODY") == 422
    assert api.post(f"{USERS}/{worker.id}/assign", json={}).status_code == 400
    own = http.post(f"{USERS}/{worker.id}/assign", json={"tenant_ids": [child]}, headers=bearer(worker.token))
    assert own.status_code == 403


def test_calls_in_another_tenant_have_no_additional_cost(worker: Worker, child: TenantId) -> None:
    worker.assign(child)
    there = worker.switch(child).text
    costs = []
    for token in (worker.token, there):
        worker.get(GROUPS, token)
        with counted() as cost:
            worker.get(GROUPS, token)
        costs.append(cost.by_operation["BatchGetItem"])

    assert costs == [1, 1]


def test_managing_users_gives_no_access_to_their_other_tenants(
    worker: Worker, api: httpx2.Client, provider: Tenant, child: TenantId, sign_in
) -> None:
    """Otherwise setting another address and password of such a user would be enough."""
    made = api.post(
        "/api/management/v2/useradm/roles",
        json={
            "name": "Users",
            "permission_sets_with_scope": [
                {"name": each} for each in ("Basic", "ManageUsers", "ReadDevices", "ReadReleases")
            ],
        },
    )
    assert made.status_code == 201
    manager = sign_in(provider, "Users")
    place = f"{USERS}/{worker.id}"
    assert manager.put(place, json={"email": new_email()}).status_code == 204
    worker.assign(child, role="RBAC_ROLE_PERMIT_ALL")

    assert manager.put(place, json={"email": new_email()}).status_code == 403
    assert manager.delete(place).status_code == 403
    assert api.put(place, json={"email": new_email()}).status_code == 204


@pytest.mark.parametrize("enough", [False, True])
def test_users_with_more_permissions_in_another_tenant_cannot_be_changed(
    worker: Worker, api: httpx2.Client, provider: Tenant, child: TenantId, sign_in, enough: bool
) -> None:
    """An administrator in a child tenant may have no permissions in their own tenant."""
    sets = ("ManageUsers", "ManageTenants", "ReadDevices", "ReadReleases") + (("SuperUser",) if enough else ())
    body = {"name": "R", "permission_sets_with_scope": [{"name": each} for each in sets]}
    assert api.post("/api/management/v2/useradm/roles", json=body).status_code == 201
    manager = sign_in(provider, "R")
    place = f"{USERS}/{worker.id}"
    assert manager.post(f"{place}/assign", json={"tenant_ids": [child]}).status_code == 200, "to look, as one may"
    assert worker.assign(child, role="RBAC_ROLE_PERMIT_ALL") == 200

    tried = {
        "another address": manager.put(place, json={"email": new_email()}).status_code,
        "another role there": manager.post(f"{place}/assign", json={"tenant_ids": [child]}).status_code,
        "no role there": manager.post(f"{place}/assign", json={"tenant_ids": []}).status_code,
        "every right": manager.post(
            f"{place}/assign", json={"tenant_ids": [child], "role": "RBAC_ROLE_PERMIT_ALL"}
        ).status_code,
    }

    done = {"another address": 204, "another role there": 200, "no role there": 200, "every right": 200}
    assert tried == (done if enough else dict.fromkeys(done, 403))


def test_permissions_limited_to_groups_do_not_hold_in_another_tenant(
    worker: Worker, api: httpx2.Client, provider: Tenant, child: TenantId, sign_in
) -> None:
    ends = ScopedSet("ReadDevices", Scope("DeviceGroups", ["test"]))
    for tenant, sets in ((child, [ends]), (provider.id, [ends, ScopedSet("ManageTenants")])):
        roles.create(tenant, roles.ROLE, Role("Ends", "", [], sets), EVERYTHING)
    manager = sign_in(provider, "Ends")
    mine = manager.get(ME).json()["id"]

    answer = manager.post(f"{USERS}/{mine}/assign", json={"tenant_ids": [child], "role": "Ends"})

    assert answer.status_code == 403, answer.text


def test_switching_tenants_does_not_count_as_a_recent_sign_in(worker: Worker, child: TenantId) -> None:
    worker.assign(child, role="RBAC_ROLE_PERMIT_ALL")
    place = "/api/management/v2/tenantadm/tenants/nothing/remove/start"
    fresh = worker.switch(child).text
    worker.http.headers.update(bearer(worker.token))
    age_session(worker.http)
    old = worker.switch(child).text

    assert [worker.http.post(place, headers=bearer(token)).status_code for token in (fresh, old)] == [404, 403]
    shown = {"current_password": PASSWORD}
    assert worker.http.post(place, headers=bearer(old), json=shown).status_code == 404

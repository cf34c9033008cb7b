"""No tenant can lose its last administrator who can sign in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from chalicelib.tenantadm import service as tenantadm_service
from chalicelib.useradm import service
from tests.conftest import PASSWORD, SignIn
from tests.roles.test_roles import ROLES, SETS, role, scoped
from tests.useradm.browser import token_of
from tests.useradm.conftest import LOGIN, ME, METADATA, USERS, bearer, new_email

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant

ADMIN = "RBAC_ROLE_PERMIT_ALL"


def administrators(api: httpx2.Client) -> set[str]:
    """The ids of administrators."""
    answer = api.get(USERS)
    assert answer.status_code == 200, answer.text
    return {user["id"] for user in answer.json() if ADMIN in user["roles"]}


@pytest.fixture
def me(api: httpx2.Client) -> str:
    """The only administrator's id."""
    found: str = api.get(ME).json()["id"]
    assert administrators(api) == {found}
    return found


def test_the_last_administrator_cannot_remove_themselves(api: httpx2.Client, me: str) -> None:
    for place in (me, "me"):
        assert api.delete(f"{USERS}/{place}").status_code in {404, 405, 409}, place
    for roles in (["RBAC_ROLE_OBSERVER"], ["RBAC_ROLE_CI", "RBAC_ROLE_DEPLOYMENTS_MANAGER"]):
        assert api.put(f"{USERS}/{me}", json={"roles": roles}).status_code == 409, roles
    assert administrators(api) == {me}


def test_a_custom_role_with_all_permissions_does_not_make_an_administrator(api: httpx2.Client, me: str) -> None:
    """Such a role can be changed or deleted later."""
    assert api.post(ROLES, json=role("boss", scoped("SuperUser"))).status_code == 201
    other = api.post(USERS, json={"email": new_email(), "password": PASSWORD, "roles": ["boss"]})
    assert other.status_code == 201

    assert api.put(f"{USERS}/{me}", json={"roles": ["boss"]}).status_code == 409
    assert api.delete(f"{USERS}/{me}").status_code == 409
    assert administrators(api) == {me}


def test_the_administrator_role_cannot_be_changed(api: httpx2.Client, me: str) -> None:
    weak = role(ADMIN, scoped("Basic"))
    for place in (ROLES, ROLES.replace("v2", "v1")):
        assert api.put(f"{place}/{ADMIN}", json=weak).status_code == 403
        assert api.delete(f"{place}/{ADMIN}").status_code == 403
        assert api.post(place, json=weak).status_code == 409
    assert api.put(f"{SETS}/SuperUser", json={"name": "SuperUser", "permissions": []}).status_code == 403
    assert api.delete(f"{SETS}/SuperUser").status_code == 403
    assert administrators(api) == {me}


def test_a_user_manager_cannot_remove_the_last_administrator(
    api: httpx2.Client, me: str, sign_in: SignIn, tenant: Tenant
) -> None:
    assert api.post(ROLES, json=role("users", scoped("ManageUsers"))).status_code == 201
    manager = sign_in(tenant, "users")

    assert manager.delete(f"{USERS}/{me}").status_code == 403
    assert manager.put(f"{USERS}/{me}", json={"roles": ["users"]}).status_code == 403
    assert manager.put(f"{USERS}/{me}", json={"email": new_email()}).status_code == 403
    assert administrators(api) == {me}


def test_administrators_who_remove_each_other_concurrently(
    api: httpx2.Client, me: str, sign_in: SignIn, tenant: Tenant
) -> None:
    """Four administrators each remove another one concurrently, by deletion and by change of roles."""
    others = [sign_in(tenant) for _ in range(3)]
    clients = [api, *others]
    ids = [me, *[client.get(ME).json()["id"] for client in others]]

    def attack(number: int) -> int:
        target = ids[(number + 1) % len(ids)]
        if number % 2:
            return clients[number].delete(f"{USERS}/{target}").status_code
        change = {"roles": ["RBAC_ROLE_OBSERVER"]}
        return clients[number].put(f"{USERS}/{target}", json=change).status_code

    with ThreadPoolExecutor(len(ids)) as pool:
        statuses = list(pool.map(attack, range(len(ids))))

    left = [user for user in service.list_users(tenant.id) if ADMIN in user.roles]
    assert left, statuses
    assert all(status < 500 or status == 503 for status in statuses)


def test_an_identity_provider_that_administrators_need_cannot_be_removed(api, http, me: str, set_up, sign_on) -> None:
    """Administrators without a password sign in through the provider only."""
    identity = set_up(auto_provision=True, allowed_domains=["example.com"], roles=[ADMIN])
    session = bearer(token_of(sign_on(identity, email=new_email())))

    assert http.delete(f"{METADATA}/{identity}", headers=session).status_code == 204, "there is one with a password"
    identity = set_up(auto_provision=True, allowed_domains=["example.com"], roles=[ADMIN])
    session = bearer(token_of(sign_on(identity, email=new_email())))
    # The only administrator with a password is the last one who does not need the provider.
    assert http.delete(f"{USERS}/{me}", headers=session).status_code == 204
    refused = http.delete(f"{METADATA}/{identity}", headers=session)
    assert refused.status_code == 409
    assert "administrator" in refused.json()["error"]

    email = new_email()
    assert http.post(USERS, json={"email": email, "password": PASSWORD}, headers=session).status_code == 201
    assert http.delete(f"{METADATA}/{identity}", headers=session).status_code == 204
    assert http.post(LOGIN, auth=(email, PASSWORD)).status_code == 200


def test_claims_of_an_identity_provider_do_not_remove_roles(api, me: str, set_up, sign_on) -> None:
    """The configured roles of a provider are for new users only."""
    identity = set_up(auto_provision=True, allowed_domains=["example.com"], roles=["RBAC_ROLE_OBSERVER"])

    assert token_of(sign_on(identity, email=api.get(ME).json()["email"], roles=["x"], groups=[]))
    assert administrators(api) == {me}


def test_assigning_an_administrator_to_another_tenant(api, http, me: str, tenant: Tenant) -> None:
    tenantadm_service.set_service_provider(tenant.id, enabled=True)
    child = tenantadm_service.create_child(tenant.id, "Child", new_email(), PASSWORD, devices={})
    body = {"tenant_ids": [child.id], "role": "RBAC_ROLE_OBSERVER"}
    assert api.post(f"{USERS}/{me}/assign", json=body).status_code == 200
    assert api.post(f"{USERS}/{me}/assign", json={"tenant_ids": []}).status_code == 200
    assert administrators(api) == {me}

    # An administrator of the service provider does not count as one of the child tenant.
    assert api.post(f"{USERS}/{me}/assign", json=body | {"role": ADMIN}).status_code == 200
    there = bearer(http.get(f"{USERS}/tenants/{child.id}/token", headers=api.headers).text)
    [last] = [user["id"] for user in http.get(USERS, headers=there).json()]
    assert http.delete(f"{USERS}/{last}", headers=there).status_code == 409
    assert http.put(f"{USERS}/{last}", json={"roles": ["RBAC_ROLE_CI"]}, headers=there).status_code == 409

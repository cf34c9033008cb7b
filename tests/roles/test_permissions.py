"""Details of roles: permissions by path, reading users, and which permission sets a user can see."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.roles import rules, shapes, tables
from chalicelib.storage.transactions import Transaction
from tests.conftest import PASSWORD
from tests.roles.test_roles import ROLES, SETS, role, scoped

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn

M1 = "/management/v1"
U1 = f"{M1}/useradm"
USERS = f"/api{U1}/users"


def id_of(client: httpx2.Client) -> str:
    return str(client.get(f"{USERS}/me").json()["id"])


def new_user(*roles: str) -> dict[str, Any]:
    return {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD, "roles": list(roles)}


def test_permission_to_read_users_allows_nothing_else(api: httpx2.Client, sign_in: SignIn, tenant: Tenant):
    assert api.post(ROLES, json=role("Readers", scoped("ReadUsers"))).status_code == 201
    reader = sign_in(tenant, "Readers")

    assert len(reader.get(USERS).json()) == 2
    assert reader.get(f"{USERS}/{id_of(api)}").status_code == 200
    assert reader.post(USERS, json=new_user("Readers")).status_code == 403
    assert reader.delete(f"{USERS}/{id_of(api)}").status_code == 403
    assert reader.get(f"/api{M1}/inventory/devices").status_code == 403


@pytest.mark.parametrize(
    "wanted",
    [
        {"action": "http", "object": {"type": "any", "value": "^"}},
        {"action": "http", "object": {"type": "any", "value": "$"}},
        {"action": "http", "object": {"type": "any", "value": "^$"}},
        {"action": "http", "object": {"type": "any", "value": ""}},
        {"action": "http", "object": {"type": "", "value": ".*"}},
        {"action": "http", "object": {"type": "any"}},
        {"action": "http", "object": {"value": ".*"}},
        {"action": "http", "object": {}},
        {"action": "http", "object": {"type": "GET", "value": "/"}},
        {"action": "http", "object": {"type": "GET", "value": "devices"}},
        {"action": "http", "object": {"type": "GET", "value": "/other/.*"}},
        {"action": "any", "object": {}},
        {"action": "any", "object": {"type": "any", "value": ""}},
        {"action": "any", "object": {"type": "DEVICE_GROUP", "value": "test"}},
    ],
    ids=str,
)
def test_a_v1_role_that_matches_no_route_is_refused(api: httpx2.Client, wanted: dict[str, Any]):
    for place, body in ((f"/api{U1}/roles", role("R")), (ROLES, role("R")), (SETS, {"name": "S"})):
        answer = api.post(place, json=body | {"permissions": [wanted]})
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"].startswith("permissions: ")


def test_a_stored_role_that_matches_nothing_gives_nothing(api: httpx2.Client, sign_in: SignIn, tenant: Tenant):
    """Roles that were made while they were taken."""
    nothing = [shapes.Permission("http", shapes.Target("any", value)) for value in ("^", "", "$")]
    tx = Transaction()
    tables.put_new(tx, tenant.id, tables.ROLE, shapes.Role("Old", "", nothing, [shapes.ScopedSet("ManageUsers")]))
    tx.commit()
    user = sign_in(tenant, "Old")

    assert user.post(USERS, json=new_user()).status_code == 403
    assert user.put(f"{USERS}/me", json={"roles": []}).status_code == 403
    assert user.get(f"/api{M1}/inventory/devices").status_code == 403
    assert user.post(USERS, json=new_user("Old")).status_code == 201, "the own rights may be handed on"


def test_a_call_of_everything_is_every_right(api: httpx2.Client, sign_in: SignIn, tenant: Tenant):
    for value in (".*", "^.*$", "any"):
        name = uuid.uuid4().hex
        permission = {"action": "http", "object": {"type": "any", "value": value}}
        assert api.post(ROLES, json=role(name, permissions=[permission])).status_code == 201
        assert sign_in(tenant, name).post(USERS, json=new_user()).status_code == 201


def test_users_see_the_permission_sets_that_they_have(api: httpx2.Client, sign_in: SignIn, tenant: Tenant):
    for name in ("Mine", "Theirs"):
        assert api.post(SETS, json={"name": name, "permissions": []}).status_code == 201
    assert api.post(ROLES, json=role("R", scoped("Mine"))).status_code == 201
    user, manager = sign_in(tenant, "R"), sign_in(tenant)

    assert {each["name"] for each in user.get(SETS, params={"per_page": 100}).json()} == {*rules.SETS, "Mine"}
    assert user.get(f"{SETS}/Mine").status_code == 200
    assert user.get(f"{SETS}/Theirs").status_code == 404
    assert manager.get(f"{SETS}/Theirs").status_code == 200

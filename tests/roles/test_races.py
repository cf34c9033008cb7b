"""Concurrent changes: no tenant loses its last administrator, and no user has a deleted role."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from chalicelib.errors import Conflict, Unprocessable
from chalicelib.rights import EVERYTHING
from chalicelib.roles import service as roles
from chalicelib.roles.shapes import Role, ScopedSet
from chalicelib.useradm import rules
from chalicelib.useradm import service as useradm
from tests.conftest import PASSWORD
from tests.useradm.conftest import meanwhile

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant


def new_user(tenant: Tenant, *names: str) -> useradm.User:
    return useradm.create_user(tenant.id, f"{uuid.uuid4().hex}@example.com", PASSWORD, roles=names, by=EVERYTHING)


def demote(user: useradm.User) -> None:
    change = rules.change("", "", own=False, roles=["RBAC_ROLE_OBSERVER"])
    useradm.update_user(user.tenant, user.id, change, current_password="", keep_token=None, by=EVERYTHING)


def new_role(tenant: Tenant, name: str) -> None:
    roles.create(tenant.id, roles.ROLE, Role(name, "", [], [ScopedSet("ReadDevices")]), EVERYTHING)


def test_two_administrators_cannot_remove_each_other_concurrently(tenant: Tenant):
    one, other = new_user(tenant), new_user(tenant)

    with meanwhile("Query", lambda: useradm.delete_user(tenant.id, other.id, by=EVERYTHING)), pytest.raises(Conflict):
        useradm.delete_user(tenant.id, one.id, by=EVERYTHING)

    assert [user.id for user in useradm.list_users(tenant.id)] == [one.id]


def test_one_administrator_is_deleted_while_the_other_loses_the_role(tenant: Tenant):
    one, other = new_user(tenant), new_user(tenant)

    with meanwhile("Query", lambda: demote(other)), pytest.raises(Conflict):
        demote(one)

    assert useradm.get_user(tenant.id, one.id).roles == ("RBAC_ROLE_PERMIT_ALL",)


def test_a_role_is_deleted_while_a_user_gets_it(tenant: Tenant):
    new_role(tenant, "R")

    with (
        meanwhile("Query", lambda: roles.delete(tenant.id, roles.ROLE, "R", EVERYTHING)),
        pytest.raises(Unprocessable),
    ):
        new_user(tenant, "R")

    assert list(useradm.list_users(tenant.id)) == []


def test_a_user_gets_a_role_while_it_is_deleted(tenant: Tenant):
    new_role(tenant, "R")

    with meanwhile("GetItem", lambda: new_user(tenant, "R")), pytest.raises(Conflict):
        roles.delete(tenant.id, roles.ROLE, "R", EVERYTHING)

    assert roles.get_visible(tenant.id, roles.ROLE, "R", EVERYTHING).name == "R"


def test_two_concurrent_changes_of_a_role(tenant: Tenant):
    new_role(tenant, "R")

    def describe(text: str) -> None:
        roles.update(tenant.id, roles.ROLE, "R", Role("R", text, [], []), EVERYTHING)

    with meanwhile("Query", lambda: describe("first")):
        describe("second")

    assert roles.get_visible(tenant.id, roles.ROLE, "R", EVERYTHING).description == "second"


def test_a_role_is_created_twice_concurrently(tenant: Tenant):
    with meanwhile("Query", lambda: new_role(tenant, "R")), pytest.raises(Conflict):
        new_role(tenant, "R")

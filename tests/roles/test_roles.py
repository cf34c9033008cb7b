"""Roles and permission sets over the API: predefined ones, and who can create, change and delete others."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.rights import Permission
from chalicelib.roles import rules
from chalicelib.tenantadm import service
from infra.scripts import roles_page

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn

V1 = "/api/management/v1/useradm/roles"
ROLES = "/api/management/v2/useradm/roles"
SETS = "/api/management/v2/useradm/permission_sets"
USERS = "/api/management/v1/useradm/users"
ME = f"{USERS}/me"


def names(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()]


def scoped(name: str, *groups: str, kind: str = "DeviceGroups") -> dict[str, Any]:
    """A permission set in a role."""
    return {"name": name, "scope": {"type": kind, "value": list(groups)}} if groups else {"name": name}


def role(name: str, *sets: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "description": f"{name}.", "permission_sets_with_scope": list(sets), **more}


class TestBuiltIn:
    """The predefined roles of every tenant."""

    def test_roles(self, api: httpx2.Client):
        assert names(api.get(ROLES)) == names(api.get(V1)) == list(rules.ROLES)
        observer = api.get(f"{ROLES}/RBAC_ROLE_OBSERVER").json()
        assert observer["permission_sets_with_scope"] == [
            {"name": "Basic"},
            {"name": "ReadDevices"},
            {"name": "ReadReleases"},
        ]

    def test_permission_sets(self, api: httpx2.Client):
        assert names(api.get(SETS)) == list(rules.SETS)
        assert api.get(f"{SETS}/ReadDevices").json()["supported_scope_types"] == ["DeviceGroups"]
        assert api.get(f"{SETS}/ManageReleases").json()["supported_scope_types"] == ["ReleaseTags"]
        assert api.get(f"{SETS}/ManageUsers").json()["supported_scope_types"] == []

    def test_every_right_is_in_some_set_beside_the_one_of_all(self):
        given = frozenset[Permission]().union(*(each for name, each in rules.SETS.items() if name != "SuperUser"))

        assert set(Permission) - given == {
            Permission.INTEGRATIONS_READ,
            Permission.INTEGRATIONS_MANAGE,
            Permission.SETTINGS_MANAGE,
        }

    @pytest.mark.parametrize("place", [V1, ROLES])
    def test_roles_stay_as_they_are(self, api: httpx2.Client, place: str):
        assert api.post(place, json=role("RBAC_ROLE_CI")).status_code == 409
        assert api.put(f"{place}/RBAC_ROLE_CI", json=role("RBAC_ROLE_CI")).status_code == 403
        assert api.delete(f"{place}/RBAC_ROLE_CI").status_code == 403

    def test_permission_sets_stay_as_they_are(self, api: httpx2.Client):
        wanted = {"name": "Basic", "permissions": []}
        assert api.post(SETS, json=wanted).status_code == 409
        assert api.put(f"{SETS}/Basic", json=wanted).status_code == 403
        assert api.delete(f"{SETS}/Basic").status_code == 403


def test_the_page_of_roles_is_that_of_the_tables():
    assert roles_page.PAGE.read_text() == roles_page.page()


class TestOwn:
    """The roles that a tenant creates."""

    def test_a_role_from_its_creation_to_its_end(self, api: httpx2.Client):
        wanted = role("Testers", scoped("ReadDevices", "test", "dev"), scoped("ReadReleases"))
        assert api.post(ROLES, json=wanted).status_code == 201
        assert api.post(ROLES, json=wanted).status_code == 409
        assert api.get(f"{ROLES}/Testers").json() == wanted | {"permissions": []}

        assert api.put(f"{ROLES}/Testers", json=role("Testers", scoped("ReadReleases"))).status_code == 200
        assert api.put(f"{V1}/Testers", json=role("", scoped("ReadReleases"))).status_code == 202
        assert api.put(f"{ROLES}/Testers", json=role("Others")).status_code == 400
        assert api.put(f"{ROLES}/Nobody", json=role("Nobody")).status_code == 404
        assert api.get(f"{ROLES}/Testers").json()["permission_sets_with_scope"] == [{"name": "ReadReleases"}]

        for _ in range(2):
            assert api.delete(f"{ROLES}/Testers").status_code == 204
        assert api.get(f"{ROLES}/Testers").status_code == 404

    def test_creating_a_role_by_v1_returns_its_location(self, api: httpx2.Client):
        answer = api.post(V1, json=role("Two words"))

        assert answer.status_code == 201
        assert api.get(answer.headers["Location"]).json()["name"] == "Two words"

    def test_lists_are_paged(self, api: httpx2.Client):
        api.post(ROLES, json=role("Z"))
        built_in = len(rules.ROLES)
        first = api.get(ROLES, params={"per_page": built_in})

        assert names(first) == list(rules.ROLES)
        assert 'rel="next"' in str(first.headers.get_list("Link"))
        assert names(api.get(ROLES, params={"per_page": built_in, "page": 2})) == ["Z"]
        assert api.get(SETS, params={"per_page": "x"}).status_code == 400

    @pytest.mark.parametrize(
        "wanted",
        [
            role(""),
            role("a/b"),
            role("x" * 257),
            role("x", scoped("NoSuchSet")),
            role("x", scoped("ReadDevices", "tag", kind="ReleaseTags")),
            role("x", scoped("ReadReleases", "group")),
            role("x", scoped("ManageUsers", "group")),
            role("x", {"name": "ReadDevices", "scope": {"type": "DeviceGroups", "value": []}}),
            role("x", {"name": "ReadDevices", "scope": {"type": "Planets", "value": ["mars"]}}),
            role("x", *[scoped("ReadDevices", str(number)) for number in range(61)]),
            role("x", permissions=[{"action": "FLY", "object": {"type": "any", "value": "any"}}]),
            role("x", permissions=[{"action": "VIEW_DEVICE", "object": {"type": "DEVICE_ID", "value": "1"}}]),
            role("x", permissions=[{"action": "VIEW_DEVICE", "object": {"type": "DEVICE_GROUP", "value": ""}}]),
            role("x", permissions=[{"action": "http", "object": {"type": "FETCH", "value": ".*"}}]),
            role("x", permissions=[{"action": "http", "object": {"type": "GET", "value": "(a+)+"}}]),
            role("x", permissions=["any"]),
        ],
    )
    def test_invalid_roles_are_refused(self, api: httpx2.Client, wanted: dict[str, Any]):
        answer = api.post(ROLES, json=wanted)

        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]

    def test_a_permission_set_from_its_creation_to_its_end(self, api: httpx2.Client):
        get = {"action": "http", "object": {"type": "GET", "value": "/api/management/v1/inventory/.*"}}
        wanted = {
            "name": "Lookers",
            "action": "Look",
            "object": "Devices",
            "description": "",
            "permissions": [get],
            "supported_scope_types": ["DeviceGroups"],
        }
        assert api.post(SETS, json=wanted).status_code == 201
        assert api.post(SETS, json=wanted).status_code == 409
        assert api.get(f"{SETS}/Lookers").json() == wanted
        assert api.post(SETS, json={"name": "x"}).status_code == 400
        assert api.post(SETS, json=wanted | {"name": "x", "supported_scope_types": ["x"]}).status_code == 400

        assert api.post(ROLES, json=role("R", scoped("Lookers", "test"))).status_code == 201
        assert api.delete(f"{SETS}/Lookers").status_code == 409
        assert api.put(f"{SETS}/Lookers", json={"permissions": []}).status_code == 200
        assert api.get(f"{SETS}/Lookers").json()["permissions"] == []
        assert api.put(f"{SETS}/Nothing", json={"permissions": []}).status_code == 404
        assert api.delete(f"{ROLES}/R").status_code == 204
        for _ in range(2):
            assert api.delete(f"{SETS}/Lookers").status_code == 204
        assert api.get(f"{SETS}/Lookers").status_code == 404

    def test_a_tenant_has_its_own(self, api: httpx2.Client, sign_in: SignIn):
        other = sign_in(service.create_tenant("Other"))
        api.post(ROLES, json=role("Mine"))

        assert other.get(f"{ROLES}/Mine").status_code == 404
        assert other.delete(f"{ROLES}/Mine").status_code == 204
        assert api.get(f"{ROLES}/Mine").status_code == 200


class TestUsers:
    """Users have roles."""

    def new(self, api: httpx2.Client, *roles: str, status: int = 201) -> str:
        body = {"email": f"{uuid.uuid4().hex}@example.com", "password": "a-long-enough-one", "roles": list(roles)}
        answer = api.post(USERS, json=body)
        assert answer.status_code == status, answer.text
        return answer.headers.get("Location", "")

    def test_they_are_shown_and_changed(self, api: httpx2.Client):
        api.post(ROLES, json=role("R"))
        place = self.new(api, "R", "RBAC_ROLE_CI")
        assert api.get(place).json()["roles"] == ["R", "RBAC_ROLE_CI"]

        assert api.put(place, json={"roles": ["RBAC_ROLE_OBSERVER"]}).status_code == 204
        assert api.get(place).json()["roles"] == ["RBAC_ROLE_OBSERVER"]
        assert api.put(place, json={"email": "another@example.com"}).status_code == 204
        assert api.get(place).json()["roles"] == ["RBAC_ROLE_OBSERVER"]
        assert api.put(place, json={"roles": []}).status_code == 204
        assert api.get(place).json()["roles"] == ["RBAC_ROLE_PERMIT_ALL"]
        assert api.put(place, json={"roles": ["Nobody"]}).status_code == 422
        self.new(api, "Nobody", status=422)

    def test_a_role_that_a_user_has_stays(self, api: httpx2.Client):
        api.post(ROLES, json=role("R"))
        place = self.new(api, "R")

        assert api.delete(f"{ROLES}/R").status_code == 409
        assert api.put(place, json={"roles": ["RBAC_ROLE_CI"]}).status_code == 204
        assert api.delete(f"{ROLES}/R").status_code == 204

    def test_a_role_can_be_deleted_after_its_users(self, api: httpx2.Client):
        api.post(ROLES, json=role("R"))
        place = self.new(api, "R")

        assert api.delete(place).status_code == 204
        assert api.delete(f"{ROLES}/R").status_code == 204

    def test_the_last_administrator_stays_one(self, api: httpx2.Client):
        me = f"{USERS}/{api.get(ME).json()['id']}"
        assert api.put(me, json={"roles": ["RBAC_ROLE_OBSERVER"]}).status_code == 409

        self.new(api)
        assert api.put(me, json={"roles": ["RBAC_ROLE_OBSERVER"]}).status_code == 204
        assert api.get(USERS).status_code == 403

    def test_without_the_plan_there_are_only_administrators(self, sign_in: SignIn):
        small = sign_in(service.create_tenant("Small", plan="professional"))
        for place in (V1, ROLES, SETS):
            assert small.get(place).status_code == 403
        self.new(small, "RBAC_ROLE_CI", status=403)
        self.new(small, "RBAC_ROLE_PERMIT_ALL")

    def test_a_smaller_plan_gives_no_user_more_rights(self, api: httpx2.Client, sign_in: SignIn, tenant: Tenant):
        assert api.post(ROLES, json=role("R", scoped("ReadDevices"))).status_code == 201
        users = [sign_in(tenant, name) for name in ("R", "RBAC_ROLE_OBSERVER")]
        places = [f"{USERS}/{user.get(ME).json()['id']}" for user in users]

        service.set_plan(tenant.id, plan="professional")

        for user, place in zip(users, places, strict=True):
            assert user.get("/api/management/v1/inventory/devices").status_code == 200
            assert user.get(USERS).status_code == 403
            assert api.put(place, json={"roles": ["RBAC_ROLE_CI"]}).status_code == 403
            assert api.put(place, json={"roles": ["RBAC_ROLE_PERMIT_ALL"]}).status_code == 204
            assert user.get(USERS).status_code == 200


class TestRights:
    """What users may do with a role, and when a change takes effect."""

    def test_a_user_has_only_the_permissions_of_the_role(self, sign_in: SignIn, tenant: Tenant):
        observer = sign_in(tenant, "RBAC_ROLE_OBSERVER")

        assert observer.get("/api/management/v1/inventory/devices").status_code == 200
        assert observer.get(ME).status_code == 200
        answer = observer.get(USERS)
        assert answer.status_code == 403
        assert answer.json()["error"].startswith("forbidden: your roles")

    def test_a_changed_role_takes_effect_immediately_in_this_process(
        self, api: httpx2.Client, sign_in: SignIn, tenant: Tenant
    ):
        api.post(ROLES, json=role("R"))
        user = sign_in(tenant, "R")
        assert user.get("/api/management/v1/inventory/devices").status_code == 403

        api.put(f"{ROLES}/R", json=role("R", scoped("ReadDevices")))
        assert user.get("/api/management/v1/inventory/devices").status_code == 200

    def test_changed_roles_of_a_user_take_effect_at_the_next_call(
        self, api: httpx2.Client, sign_in: SignIn, tenant: Tenant
    ):
        user = sign_in(tenant, "RBAC_ROLE_OBSERVER")
        me = f"{USERS}/{user.get(ME).json()['id']}"

        assert api.put(me, json={"roles": ["RBAC_ROLE_REMOTE_TERMINAL"]}).status_code == 204

        # The session continues with the new permissions.
        assert user.get(ME).json()["roles"] == ["RBAC_ROLE_REMOTE_TERMINAL"]
        assert user.get("/api/management/v1/deployments/artifacts").status_code == 403

    def test_calls_by_method_and_path(self, api: httpx2.Client, sign_in: SignIn, tenant: Tenant):
        get = {"action": "http", "object": {"type": "GET", "value": "/api/management/v1/useradm/.*"}}
        api.post(ROLES, json=role("R", permissions=[get]))
        user = sign_in(tenant, "R")

        assert user.get(USERS).status_code == 200
        assert user.post(USERS, json={}).status_code == 403
        assert user.get("/api/management/v1/inventory/devices").status_code == 403

    def test_users_can_see_their_own_roles(self, api: httpx2.Client, sign_in: SignIn, tenant: Tenant):
        for name in ("Mine", "Others"):
            api.post(ROLES, json=role(name))
        user = sign_in(tenant, "Mine")

        assert names(user.get(ROLES)) == [*rules.ROLES, "Mine"]
        assert user.get(f"{ROLES}/Others").status_code == 404
        assert user.get(f"{ROLES}/Mine").status_code == 200


class TestEscalation:
    """Users cannot give permissions that they lack."""

    @pytest.fixture
    def manager(self, api: httpx2.Client, sign_in: SignIn, tenant: Tenant) -> httpx2.Client:
        """A user who manages users and sees the devices of one group."""
        api.post(ROLES, json=role("Manager", scoped("ManageUsers"), scoped("ReadDevices", "a")))
        return sign_in(tenant, "Manager")

    def test_creating_a_user(self, manager: httpx2.Client):
        body = {"email": "new@example.com", "password": "a-long-enough-one"}

        assert manager.post(USERS, json=body).status_code == 403
        assert manager.post(USERS, json=body | {"roles": ["RBAC_ROLE_OBSERVER"]}).status_code == 403
        assert manager.post(USERS, json=body | {"roles": ["Manager"]}).status_code == 201

    @pytest.mark.parametrize("wanted", [[], ["RBAC_ROLE_PERMIT_ALL"], ["Manager", "RBAC_ROLE_CI"]])
    def test_changing_the_own_roles(self, manager: httpx2.Client, wanted: list[str]):
        me = manager.get(ME).json()

        for place in (f"{USERS}/{me['id']}", ME):
            assert manager.put(place, json={"roles": wanted}).status_code == 403
        assert manager.get(ME).json()["roles"] == ["Manager"]

    def test_changing_an_administrators_account(self, api: httpx2.Client, manager: httpx2.Client):
        admin = f"{USERS}/{api.get(ME).json()['id']}"

        assert manager.put(admin, json={"email": "mine@example.com"}).status_code == 403
        assert manager.put(admin, json={"roles": ["Manager"]}).status_code == 403
        assert manager.delete(admin).status_code == 403

    def test_creating_a_role(self, manager: httpx2.Client):
        everything = {"action": "any", "object": {"type": "any", "value": "any"}}
        more = [
            role("Manager", scoped("ManageUsers"), scoped("ReadDevices")),
            role("Manager", scoped("ReadDevices", "a", "b")),
            role("Manager", scoped("SuperUser")),
            role("Manager", permissions=[everything]),
            role("Manager", permissions=[{"action": "http", "object": {"type": "GET", "value": ".*"}}]),
            role("Manager", permissions=[{"action": "VIEW_DEVICE", "object": {"type": "any", "value": ""}}]),
        ]
        for wanted in more:
            assert manager.put(f"{ROLES}/Manager", json=wanted).status_code == 403, wanted
            assert manager.post(ROLES, json=wanted | {"name": "New"}).status_code == 403, wanted
        assert manager.post(SETS, json={"name": "S", "permissions": [everything]}).status_code == 403
        assert manager.post(ROLES, json=role("New", scoped("ReadDevices", "a"))).status_code == 201

    def test_changing_a_custom_permission_set(self, api: httpx2.Client, sign_in: SignIn, tenant: Tenant):
        get = {"action": "http", "object": {"type": "GET", "value": "/api/management/v1/useradm/users"}}
        everything = {"action": "any", "object": {"type": "any", "value": "any"}}
        api.post(SETS, json={"name": "S", "permissions": [get]})
        api.post(ROLES, json=role("R", scoped("S"), scoped("ManageUsers")))
        user = sign_in(tenant, "R")

        assert user.put(f"{SETS}/S", json={"permissions": [everything]}).status_code == 403
        assert user.put(f"{SETS}/S", json={"permissions": [get]}).status_code == 200

    def test_changing_roles_requires_permission(self, sign_in: SignIn, tenant: Tenant):
        observer = sign_in(tenant, "RBAC_ROLE_OBSERVER", "RBAC_ROLE_CI")
        me = f"{USERS}/{observer.get(ME).json()['id']}"

        assert observer.get(me).status_code == 200
        assert observer.put(me, json={"roles": ["RBAC_ROLE_OBSERVER"]}).status_code == 403

    def test_tokens_have_the_permissions_of_their_user(
        self, api: httpx2.Client, http: httpx2.Client, sign_in: SignIn, tenant: Tenant
    ):
        tokens = "/api/management/v1/useradm/settings/tokens"
        user = sign_in(tenant, "RBAC_ROLE_CI")
        token = user.post(tokens, json={"name": "ci", "expires_in": 0})
        assert token.status_code == 200, token.text
        headers = {"Authorization": f"Bearer {token.text}"}
        assert http.get("/api/management/v1/deployments/artifacts", headers=headers).status_code == 200
        assert http.get(USERS, headers=headers).status_code == 403

        me = f"{USERS}/{user.get(ME).json()['id']}"
        assert api.put(me, json={"roles": ["RBAC_ROLE_REMOTE_TERMINAL"]}).status_code == 204
        assert http.get("/api/management/v1/deployments/artifacts", headers=headers).status_code == 403
        assert http.post(tokens, headers=headers, json={"name": "x", "expires_in": 0}).status_code == 403

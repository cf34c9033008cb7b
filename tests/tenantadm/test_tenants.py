"""Tenants: creation, tokens, limits, suspension (``docs/behaviour.md#tenants-and-plans``)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import clock
from chalicelib.auditlogs import tables as auditlogs_tables
from chalicelib.cache import Cache
from chalicelib.errors import BadRequest, NotFound
from chalicelib.fleet import control
from chalicelib.storage.keys import TenantId
from chalicelib.tenantadm import service, tables
from chalicelib.tenantadm.service import Status, lookup
from tests.conftest import PASSWORD
from tests.deployments.world import World
from tests.useradm.conftest import dynamodb_calls

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn

MINE = "/api/management/v1/tenantadm/user/tenant"
ME = "/api/management/v2/tenantadm/tenants/me"
USER = "/api/management/v1/useradm/users/me"
LAB, HALL = ({"type": "DeviceGroups", "value": [name]} for name in ("lab", "hall"))
ADDONS = [{"name": name, "enabled": True} for name in ("configure", "troubleshoot", "monitor")]


def test_a_new_tenant_has_all_features_by_default(tenant: Tenant):
    assert len(tenant.id) == 24
    assert set(tenant.id) <= set("0123456789abcdef")
    assert len(tenant.tenant_token) >= 43
    assert service.get_tenant(tenant.id) == tenant
    seen = control.get(tenant.id, fresh=True)
    assert (seen.active, seen.plan, list(seen.addons)) == (True, "enterprise", ADDONS)
    assert (seen.devices.standard, seen.storage_limit) == (-1, 0)


def test_a_new_tenant_with_limits(server):
    made = service.create_tenant("Small", plan="os", addons=[], max_devices=0, storage_limit=1)

    seen = control.get(made.id, fresh=True)
    assert (seen.plan, seen.addons, seen.devices.standard, seen.storage_limit) == ("os", (), 0, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": " "},
        {"name": "x" * 257},
        {"plan": "gold"},
        {"max_devices": -2},
        {"storage_limit": -1},
    ],
)
def test_invalid_tenants_are_refused(server, wrong: dict[str, Any]):
    with pytest.raises(BadRequest):
        service.create_tenant(**{"name": "Acme", **wrong})


class TestToken:
    """Finding a tenant by its token."""

    def test_it_finds_its_tenant_only(self, tenant: Tenant):
        assert service.tenant_by_token(tenant.tenant_token) == tenant.id
        for wrong in ("", tenant.tenant_token + "x", tenant.tenant_token.lower(), tenant.id, "\ud800", "x" * 9000):
            assert service.tenant_by_token(wrong) is None

    def test_it_is_cached_in_a_warm_process(self, tenant: Tenant):
        lookup._tokens.clear()
        with dynamodb_calls() as calls:
            for _ in range(3):
                service.tenant_by_token(tenant.tenant_token)
                service.tenant_by_token("unknown")

        assert calls == ["GetItem", "GetItem"]

    def test_it_is_found_by_its_hash_only(self, tenant: Tenant):
        assert tables.find_by_token(tenant.tenant_token, clock.now()) is None
        assert tenant.tenant_token not in repr(tenant)

    def test_the_size_of_the_cache_is_limited(self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(lookup, "_tokens", Cache(3))

        for number in range(5):
            service.tenant_by_token(f"unknown {number}")

        assert len(lookup._tokens) == 3


class TestShown:
    """The tenant as shown to its users."""

    def test_all_members(self, api: httpx2.Client, tenant: Tenant):
        answer = api.get(MINE)

        assert answer.status_code == 200
        shown = answer.json()
        assert shown.pop("created_at") == shown.pop("updated_at")
        assert shown == {
            "id": tenant.id,
            "name": "Acme",
            "tenant_token": tenant.tenant_token,
            "status": "active",
            "plan": "enterprise",
            "addons": ADDONS,
            "trial": False,
            "service_provider": False,
            "device_count": 0,
            "device_limit": -1,
        }

    def test_v2_does_not_show_the_token(self, api: httpx2.Client):
        v1, v2 = api.get(MINE).json(), api.get(ME).json()

        del v1["tenant_token"]
        assert v2 == v1

    @pytest.mark.parametrize("path", [MINE, ME])
    def test_limits_by_tier(self, api: httpx2.Client, tenant: Tenant, path: str):
        service.set_limits(tenant.id, max_devices=7)

        shown = api.get(path, params={"tiers": "true"}).json()

        assert shown["device_limits"] == {
            name: {"name": name, "tenant_id": tenant.id, "current_value": 0, "value": value}
            for name, value in (("max_devices", 7), ("max_micro_devices", -1), ("max_system_devices", -1))
        }
        assert shown["device_limit"] == 7

    @pytest.mark.parametrize(
        ("sets", "token", "counted"),
        [
            ([{"name": "ManageDevices"}], True, (1, 1)),
            ([{"name": "ReadDevices"}], False, (1, 1)),
            ([{"name": "ManageReleases"}], False, (0, 0)),
            ([{"name": "ManageDevices", "scope": LAB}], False, (1, 0)),
            ([{"name": "ManageDevices", "scope": LAB}, {"name": "ReadDevices"}], False, (1, 1)),
            ([{"name": "ManageDevices", "scope": HALL}], False, (0, 0)),
            ([{"name": "ManageDevices", "scope": LAB}, {"name": "SuperUser"}], True, (1, 1)),
        ],
    )
    def test_only_needed_members_are_shown(
        self,
        api: httpx2.Client,
        http: httpx2.Client,
        sign_in: SignIn,
        tenant: Tenant,
        sets: list[dict[str, Any]],
        token: bool,
        counted: tuple[int, int],
    ):
        world = World(api, http, tenant.tenant_token)
        inside = world.device()
        world.device(tier="micro")
        group = f"/api/management/v1/inventory/devices/{inside.id}/group"
        assert api.put(group, json={"group": "lab"}).status_code == 204
        role = {"name": "R", "permission_sets_with_scope": sets}
        assert api.post("/api/management/v2/useradm/roles", json=role).status_code == 201
        user = sign_in(tenant, "R")

        v1, v2 = (user.get(path, params={"tiers": "true"}).json() for path in (MINE, ME))

        assert v1.pop("tenant_token", None) == (tenant.tenant_token if token else None)
        assert v1 == v2
        assert v1["device_count"] == sum(counted)
        limits = v1["device_limits"]
        assert tuple(limits[name]["current_value"] for name in ("max_devices", "max_micro_devices")) == counted

    @pytest.mark.parametrize("path", [MINE, ME])
    def test_it_is_shown_to_its_users_only(self, http: httpx2.Client, path: str):
        assert http.get(path).status_code == 401

    def test_each_user_sees_their_own_tenant(self, api: httpx2.Client, sign_in: SignIn, tenant: Tenant):
        other = service.create_tenant("Other")

        assert sign_in(other).get(MINE).json()["id"] == other.id
        assert api.get(MINE).json()["id"] == tenant.id


class TestSuspended:
    """A suspended tenant is refused from the next call on, until it is activated."""

    def test_users_and_their_tokens(self, api: httpx2.Client, tenant: Tenant):
        script = api.post("/api/management/v1/useradm/settings/tokens", json={"name": "script"}).text
        headers = {"Authorization": f"Bearer {script}"}

        service.set_status(tenant.id, Status.SUSPENDED)
        for answer in (api.get(USER), api.get(USER, headers=headers), api.get(MINE)):
            assert (answer.status_code, answer.json()["error"]) == (401, "Account suspended")

        service.set_status(tenant.id, Status.ACTIVE)
        for answer in (api.get(USER), api.get(USER, headers=headers)):
            assert answer.status_code == 200

    def test_the_status_of_calls(self, tenant: Tenant):
        service.set_limits(tenant.id, max_devices=3)
        service.set_status(tenant.id, Status.SUSPENDED)

        assert service.get_tenant(tenant.id).status == Status.SUSPENDED
        seen = control.get(tenant.id)
        assert (seen.active, seen.devices.standard) == (False, 3)
        # The token still finds its tenant, so the caller learns why it is refused.
        assert service.tenant_by_token(tenant.tenant_token) == tenant.id

    def test_other_tenants_are_not_affected(self, tenant: Tenant, sign_in: SignIn):
        other = sign_in(service.create_tenant("Other"))

        service.set_status(tenant.id, Status.SUSPENDED)

        assert other.get(USER).status_code == 200


class TestLimits:
    """Limits can be changed separately."""

    def test_other_limits_are_kept(self, tenant: Tenant):
        service.set_limits(tenant.id, max_devices=10, storage_limit=20)
        service.set_limits(tenant.id, max_devices=0)
        service.set_limits(tenant.id, storage_limit=0)
        service.set_limits(tenant.id)

        seen, stored = control.get(tenant.id), service.get_tenant(tenant.id)
        assert (seen.devices.standard, seen.storage_limit) == (0, 0)
        assert (stored.max_devices, stored.storage_limit) == (0, 0)

    @pytest.mark.parametrize("wrong", [{"max_devices": -2}, {"storage_limit": -1}])
    def test_invalid_limits_are_refused(self, tenant: Tenant, wrong: dict[str, int]):
        with pytest.raises(BadRequest):
            service.set_limits(tenant.id, **wrong)


def test_an_unknown_tenant_is_refused(server):
    unknown = TenantId("f" * 24)

    with pytest.raises(NotFound):
        service.get_tenant(unknown)
    with pytest.raises(NotFound):
        service.set_status(unknown, Status.SUSPENDED)
    with pytest.raises(NotFound):
        service.set_limits(unknown, max_devices=1)
    assert not control.get(unknown).active


def test_tenants_are_listed_by_age(server):
    made = [service.create_tenant(f"Acme {number}").id for number in range(3)]

    listed = [each.id for each in service.all_tenants()]

    assert [each for each in listed if each in made] == made


def test_tenants_created_concurrently_are_different(server):
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(service.create_tenant, ["Same name"] * 8))

    assert len({each.id for each in made}) == len({each.tenant_token for each in made}) == 8


class TestAudited:
    """Every change of a tenant has an audit entry, also those by the server's admin."""

    def entries(self, tenant: Tenant) -> list[tuple[str, str]]:
        found = auditlogs_tables.by_time(tenant.id, None, None, newest_first=False)
        return [(entry.actor_type, entry.change) for entry in found if entry.object_type == "tenant"]

    def test_changes_by_the_admin(self, tenant: Tenant):
        service.set_limits(tenant.id, max_devices=3)
        service.set_plan(tenant.id, plan="os", addons=["monitor"])
        service.set_status(tenant.id, Status.SUSPENDED)
        service.rotate_token(tenant.id)

        assert self.entries(tenant) == [
            ("system", "limits: standard -1, micro -1, system -1 -> standard 3, micro -1, system -1"),
            ("system", "plan: enterprise -> os\nadd-ons: configure, monitor, troubleshoot -> monitor"),
            ("system", "status: active -> suspended"),
            ("system", "tokens before: 0 -> 1"),
        ]

    def test_the_reason_of_a_cancellation(self, api: httpx2.Client, tenant: Tenant):
        api.post(
            f"/api/management/v2/tenantadm/tenants/{tenant.id}/cancel",
            json={"reason": "moved", "current_password": PASSWORD},
        )

        [(actor, change)] = self.entries(tenant)
        assert (actor, change) == ("user", "status: active -> suspended\ncancel reason: none -> moved")

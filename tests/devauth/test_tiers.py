"""Device tiers and their limits, test devices (``docs/behaviour.md#device-limits``)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx2
import pytest

from chalicelib import clock, limits
from chalicelib.devauth import service
from chalicelib.errors import Unprocessable
from chalicelib.fleet import counts
from chalicelib.tenantadm import service as tenantadm
from chalicelib.tiers import PerTier
from tests.deployments.world import World
from tests.devauth.fleet import DEVICES, accept, decide, find
from tests.simulator.device import Device, new_key
from tests.support.probe import counted

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant

LIMITS = "/api/management/v2/devauth/limits"
AUTO = "/api/management/v2/devauth/auto-auth"
STATISTICS = "/api/management/v2/inventory/statistics"
FULL = "maximum number of accepted devices reached"


@pytest.fixture
def micro(http: httpx2.Client, tenant: Tenant) -> Device:
    """A device with the tier of microcontrollers."""
    return Device(http, tenant.tenant_token, tier="micro")


class TestTiers:
    """Each auth set has one tier."""

    def test_a_device_shows_its_tier(self, api, micro: Device):
        micro.auth()

        shown = find(api, micro)
        assert (shown["tier"], [each["tier"] for each in shown["auth_sets"]]) == ("micro", ["micro"])

    def test_a_device_with_a_new_tier_is_pending(self, api, device: Device):
        accept(api, device)

        device.tier = "system"
        assert device.auth().status_code == 401
        shown = find(api, device)
        assert [(each["tier"], each["status"]) for each in shown["auth_sets"]] == [
            ("standard", "accepted"),
            ("system", "pending"),
        ]
        assert shown["tier"] == "standard"
        # The one that is accepted goes on.
        device.tier = None
        assert device.auth().status_code == 200

    def test_accepting_a_tier_rejects_the_other(self, api, device: Device, tenant: Tenant):
        accept(api, device)
        device.tier = "micro"
        device.auth()
        assert counts.accepted_by_tier(tenant.id) == PerTier(1)

        [waiting] = [each for each in find(api, device)["auth_sets"] if each["status"] == "pending"]
        path = f"{DEVICES}/{find(api, device)['id']}/auth/{waiting['id']}/status"
        assert api.put(path, json={"status": "accepted"}).status_code == 204

        assert find(api, device)["tier"] == "micro"
        assert counts.accepted_by_tier(tenant.id) == PerTier(0, 1)
        assert device.auth().status_code == 200

    def test_the_default_tier_is_standard(self, api, device: Device):
        accept(api, device)
        device.tier = "standard"

        assert device.auth().status_code == 200
        assert len(find(api, device)["auth_sets"]) == 1

    @pytest.mark.parametrize("tier", ["huge", "STANDARD", "all "])
    def test_unknown_tiers_are_refused(self, device: Device, tier: str):
        device.tier = tier

        answer = device.auth()

        assert answer.status_code == 400
        assert answer.json()["error"].startswith("invalid auth request: tier must be one of: standard, micro, system")

    def test_preauthorizing_for_a_tier(self, api, micro: Device):
        body = {"identity_data": micro.identity, "pubkey": micro.pubkey, "tier": "micro"}
        assert api.post(DEVICES, json=body | {"tier": "huge"}).status_code == 400
        assert api.post(DEVICES, json=body).status_code == 201
        assert find(api, micro)["tier"] == "micro"

        assert micro.auth().status_code == 200

    def test_the_inventory_has_the_tier(self, api, http, tenant: Tenant):
        """The standard tier is shown only on request, since clients count the attributes that other servers show."""
        world = World(api, http, tenant.tenant_token)
        device, other = world.device(), world.device(tier="micro")
        place = "/api/management/v1/inventory/devices"

        def of_tier(tier: str) -> list[str]:
            wanted = [{"scope": "system", "attribute": "tier", "type": "$eq", "value": tier}]
            only = [{"scope": "system", "attribute": "tier"}]
            body = {"filters": wanted, "attributes": only}
            found = api.post("/api/management/v2/inventory/filters/search", json=body).json()
            assert all({"scope": "system", "name": "tier", "value": tier} in each["attributes"] for each in found)
            return [each["id"] for each in found]

        def shown(device_id: str) -> list[str]:
            attributes = api.get(f"{place}/{device_id}").json()["attributes"]
            return [each["value"] for each in attributes if (each["scope"], each["name"]) == ("system", "tier")]

        assert (of_tier("standard"), of_tier("micro")) == ([device.id], [other.id])
        assert (shown(device.id), shown(other.id)) == ([], ["micro"])
        assert [each["id"] for each in api.get(place, params={"system/tier": "micro"}).json()] == [other.id]

        device.tier = "system"
        device.auth()
        assert of_tier("standard") == [device.id]
        waiting = find(api, device)["auth_sets"][-1]["id"]
        world.accept(device.id, waiting)
        assert (of_tier("standard"), of_tier("system"), shown(device.id)) == ([], [device.id], ["system"])

    def test_a_group_is_counted_by_tier(self, api, http, sign_in, tenant: Tenant):
        world = World(api, http, tenant.tenant_token)
        members = [world.device(), world.device(tier="micro"), world.device(tier="system")]
        world.device(tier="micro")
        for each in members:
            where = f"/api/management/v1/inventory/devices/{each.id}/group"
            assert api.put(where, json={"group": "lab"}).status_code == 204
        sets = [{"name": "ReadDevices", "scope": {"type": "DeviceGroups", "value": ["lab"]}}]
        role = {"name": "Guests", "permission_sets_with_scope": sets}
        assert api.post("/api/management/v2/useradm/roles", json=role).status_code == 201
        guest = sign_in(tenant, "Guests")

        assert guest.get(STATISTICS).json()["devices_by_status"] == {
            "accepted": {"standard": 1, "micro": 1, "system": 1},
            "pending": {"standard": 0, "micro": 0, "system": 0},
        }

    def test_statistics(self, api, http, tenant: Tenant):
        for tier, count in (("micro", 2), ("system", 1), (None, 3)):
            for _ in range(count):
                Device(http, tenant.tenant_token, tier=tier).auth()
        accept(api, Device(http, tenant.tenant_token, tier="micro"))

        assert api.get(STATISTICS).json()["devices_by_status"] == {
            "accepted": {"standard": 0, "micro": 1, "system": 0},
            "pending": {"standard": 3, "micro": 2, "system": 1},
        }
        assert api.get(f"{DEVICES}/count", params={"status": "pending"}).json() == {"count": 6}
        assert api.get(f"{DEVICES}/count").json() == {"count": 7}


class TestLimits:
    """Each tier has its own exact limit."""

    def test_limits_are_shown(self, api, tenant: Tenant):
        assert api.get(f"{LIMITS}/devices").json() == {"standard": -1, "micro": -1, "system": -1, "test": 10}

        tenantadm.set_limits(tenant.id, max_devices=1, max_micro_devices=2, max_system_devices=0)

        assert api.get(f"{LIMITS}/devices").json() == {"standard": 1, "micro": 2, "system": 0, "test": 10}
        for name, value in (("max_devices", 1), ("max_micro_devices", 2), ("max_system_devices", 0)):
            assert api.get(f"{LIMITS}/{name}").json() == {"limit": value}

    def test_no_limit_is_shown_as_minus_one_and_none_allowed_as_zero(self, api, tenant: Tenant):
        assert api.get(f"{LIMITS}/max_devices").json() == {"limit": -1}
        tenantadm.set_limits(tenant.id, max_devices=0)
        assert api.get(f"{LIMITS}/max_devices").json() == {"limit": 0}

    def test_limits_of_tiers_are_independent(self, api, http, tenant: Tenant):
        tenantadm.set_limits(tenant.id, max_devices=0, max_micro_devices=1)
        accept(api, Device(http, tenant.tenant_token, tier="micro"))

        more, other = Device(http, tenant.tenant_token, tier="micro"), Device(http, tenant.tenant_token)
        for device in (more, other):
            device.auth()
            assert (decide(api, device, "accepted").json())["error"] == FULL
        system = Device(http, tenant.tenant_token, tier="system")
        accept(api, system)
        assert counts.accepted_by_tier(tenant.id) == PerTier(0, 1, 1)

    def test_a_preauthorized_device_above_the_limit_is_refused_when_it_calls(self, api, micro: Device, tenant: Tenant):
        api.post(DEVICES, json={"identity_data": micro.identity, "pubkey": micro.pubkey, "tier": "micro"})
        tenantadm.set_limits(tenant.id, max_micro_devices=0)

        assert micro.auth().status_code == 401

        tenantadm.set_limits(tenant.id, max_micro_devices=1)
        assert micro.auth().status_code == 200

    def test_the_limit_holds_for_concurrent_requests(self, api, http, tenant: Tenant):
        tenantadm.set_limits(tenant.id, max_micro_devices=3)
        devices = [Device(http, tenant.tenant_token, tier="micro") for _ in range(8)]
        for device in devices:
            device.auth()
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda device: decide(api, device, "accepted").status_code, devices))

        assert sorted(answers) == [204] * 3 + [422] * 5
        assert counts.accepted_by_tier(tenant.id) == PerTier(0, 3)

    def test_a_limit_that_is_lowered_concurrently_holds(self, api, http, tenant: Tenant):
        """Capacity is given to children while devices are accepted: together they never exceed the total."""
        provider = tenantadm.create_tenant("Provider", service_provider=True, max_devices=6)
        devices = [Device(http, provider.tenant_token) for _ in range(6)]
        for device in devices:
            device.auth()
        listed = service.listed(provider.id, ["pending"], 0, 10, None)

        def accepting(number: int) -> bool:
            try:
                service.decide(provider.id, listed[number].id, listed[number].standing.sets[0].id, "accepted")
            except Unprocessable:
                return False
            return True

        def giving(number: int) -> bool:
            email = f"{provider.id}{number}@example.com"
            try:
                tenantadm.create_child(provider.id, "Child", email, "a-long-one", devices={"max_devices": 1})
            except Unprocessable:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            accepted = threads.map(accepting, range(6))
            given = threads.map(giving, range(6))
            taken = sum(accepted), sum(given)

        assert sum(taken) == 6
        assert counts.accepted_by_tier(provider.id) == PerTier(taken[0])
        assert tenantadm.get_tenant(provider.id).given == PerTier(taken[1])

    def test_the_license(self, api, micro: Device, tenant: Tenant):
        accept(api, micro)
        tenantadm.set_limits(tenant.id, max_devices=5)

        answer = api.get("/api/management/v2/devauth/license")

        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.text == "tier,accepted,limit\nstandard,0,5\nmicro,1,-1\nsystem,0,-1\n"


class TestFlags:
    """A few devices may be marked as test devices."""

    def flag(self, api, device_id: str, wanted: object) -> int:
        return api.put(f"{DEVICES}/{device_id}/flags", json={"test_device": wanted}).status_code

    def test_set_and_cleared(self, api, device: Device):
        accept(api, device)
        assert "flags" not in find(api, device)

        assert self.flag(api, device.id, True) == 204
        assert self.flag(api, device.id, True) == 204
        assert find(api, device)["flags"] == {"test_device": True}

        assert self.flag(api, device.id, False) == 204
        assert "flags" not in find(api, device)
        assert device.auth().status_code == 200

    def test_invalid_flags_are_refused(self, api, device: Device):
        accept(api, device)

        assert self.flag(api, device.id, "yes") == 400
        assert api.put(f"{DEVICES}/{device.id}/flags", json={}).status_code == 400
        assert self.flag(api, "nobody", True) == 404

    def test_the_number_of_test_devices_is_limited(
        self, api, http, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, server
    ):
        monkeypatch.setattr(limits, "TEST_DEVICES", 2)
        devices = [Device(http, tenant.tenant_token) for _ in range(3)]
        for device in devices:
            accept(api, device)

        assert [self.flag(api, device.id, True) for device in devices] == [204, 204, 422]
        assert api.delete(f"{DEVICES}/{devices[0].id}").status_code == 204
        server.drain()
        assert self.flag(api, devices[2].id, True) == 204

    def test_changing_flags_is_rate_limited(self, api, device: Device, monkeypatch: pytest.MonkeyPatch):
        accept(api, device)
        monkeypatch.setattr(limits, "FLAG_CHANGES", 3)

        assert [self.flag(api, device.id, wanted) for wanted in (True, False, True, False)] == [204, 204, 204, 429]
        answer = api.put(f"{DEVICES}/{device.id}/flags", json={"test_device": False})
        assert 0 < int(answer.headers["Retry-After"]) <= 86_401

        tomorrow = clock.now() + timedelta(days=1)
        monkeypatch.setattr(clock, "now", lambda: tomorrow)
        assert self.flag(api, device.id, False) == 204


class TestPreauthorizedByRequest:
    """A user sends a device's own auth request: the device is accepted and gets its token."""

    def ask(self, api, device: Device, body: bytes | None = None) -> httpx2.Response:
        raw = device.auth_body() if body is None else body
        headers = {"Content-Type": "application/json", "X-MEN-Signature": device.sign(raw)}
        return api.post(AUTO, content=raw, headers=headers)

    def test_an_unknown_device(self, api, device: Device):
        answer = self.ask(api, device)

        assert answer.status_code == 200, answer.text
        device.token = answer.json()
        assert device.poll().status_code == 204
        assert find(api, device)["status"] == "accepted"
        assert self.ask(api, device).status_code == 200

    def test_another_key_replaces_the_accepted_one(self, api, device: Device):
        accept(api, device)
        device.key = new_key()

        assert self.ask(api, device).status_code == 200
        assert [each["status"] for each in find(api, device)["auth_sets"]] == ["rejected", "accepted"]

    def test_invalid_requests_are_refused(self, api, device: Device, tenant: Tenant):
        body = json.loads(device.auth_body())
        for change, status in (
            ({"pubkey": None}, 400),
            ({"id_data": "[]"}, 400),
            ({"tier": "huge"}, 400),
            ({"tenant_token": tenantadm.create_tenant("Other").tenant_token}, 400),
            ({"tenant_token": "unknown"}, 400),
        ):
            assert self.ask(api, device, json.dumps(body | change).encode()).status_code == status
        tenantadm.set_limits(tenant.id, max_devices=0)
        assert self.ask(api, device).status_code == 422
        headers = {"Content-Type": "application/json", "X-MEN-Signature": "bm8="}
        assert api.post(AUTO, content=device.auth_body(), headers=headers).status_code == 400

    def test_a_preauthorized_device(self, api, device: Device):
        api.post(DEVICES, json={"identity_data": device.identity, "pubkey": device.pubkey})

        assert self.ask(api, device).status_code == 200


def test_tiers_have_no_additional_cost(api, http, tenant: Tenant, warm):
    world = World(api, http, tenant.tenant_token)
    device = world.device(tier="micro")
    device.auth()
    with counted() as cost:
        assert device.auth().status_code == 200
    assert cost.calls == ["GetItem"]

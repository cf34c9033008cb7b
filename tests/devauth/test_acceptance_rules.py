"""Acceptance rules: which devices they accept when these ask, which they never accept, and what that leaves behind."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import httpx2
import pytest

from chalicelib import clock, limits
from chalicelib.devauth import service
from chalicelib.events import decommissioning
from chalicelib.fleet import control_items, membership
from chalicelib.tenantadm import service as tenantadm
from tests.devauth.acceptance import AUDIT, PREVIEW, RULES, create, pattern, rule
from tests.devauth.fleet import DEVICES, accept, decide, device_path, find, set_of
from tests.devauth.test_races import concurrently
from tests.simulator.device import Device, new_key
from tests.support.probe import counted
from tests.support.time import Clock

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def new(http: httpx2.Client, tenant) -> Callable[..., Device]:
    """Create a device with a serial number that is unknown to the server."""
    made = Counter[str]()

    def make(serial: str = "a") -> Device:
        made[serial] += 1
        return Device(http, tenant.tenant_token, identity={"serial": f"{serial}{made[serial]}", "line": 4})

    return make


class TestAccepting:
    def test_a_matching_device_gets_its_token_at_its_first_request(self, api, new, tenant):
        create(api, pattern())
        device, other = new(), new("b")

        assert (device.auth().status_code, other.auth().status_code) == (200, 401)

        assert find(api, device)["status"] == "accepted"
        assert find(api, device)["check_in_time"]
        assert device.inventory().status_code == 200
        assert list(membership.accepted_devices(tenant.id)) == [device.id]
        assert find(api, other)["status"] == "pending"

    def test_without_rules_nobody_is_accepted(self, api, new):
        assert api.get(RULES).json() == []
        assert new().auth().status_code == 401

    def test_a_pending_device_is_accepted_when_it_asks_again(self, api, new):
        device = new()
        device.auth()
        create(api, pattern())
        assert find(api, device)["status"] == "pending"

        assert device.auth().status_code == 200

    @pytest.mark.parametrize(
        ("wanted", "identity"),
        [
            ({"serial": "a?", "line": "4"}, True),
            ({"serial": "a?", "line": "5"}, False),
            ({"serial": "A*"}, False),
            ({"serial": "a*", "sku": "*"}, False),
            ({"line": "*"}, True),
        ],
    )
    def test_all_patterns_must_match(self, api, new, wanted, identity):
        create(api, pattern(pattern=wanted))
        assert (new().auth().status_code == 200) is identity

    def test_a_disabled_or_deleted_rule_accepts_nobody(self, api, new):
        rule_id = create(api, pattern(enabled=False))
        assert new().auth().status_code == 401
        assert api.put(f"{RULES}/{rule_id}", json=pattern()).status_code == 204
        assert new().auth().status_code == 200
        assert api.delete(f"{RULES}/{rule_id}").status_code == 204
        assert new().auth().status_code == 401

    def test_the_audit_entry_names_the_rule(self, api, new):
        rule_id = create(api, pattern())
        device = new()
        device.auth()

        entry = next(each for each in api.get(AUDIT).json() if each["object"]["type"] == "device")

        assert entry["actor"] == {"id": rule_id, "type": "system"}
        assert (entry["action"], entry["object"]["id"]) == ("update", device.id)
        assert entry["change"].endswith(f"pending -> accepted by rule by serial ({rule_id})")

    def test_the_device_shows_the_rule_until_a_user_decides(self, api, new):
        create(api, pattern())
        device, other = new(), new("b")
        device.auth()
        accept(api, other)
        assert find(api, device)["auth_sets"][0]["rule"] == "by serial"
        assert "rule" not in find(api, other)["auth_sets"][0]
        decide(api, device, "rejected")
        assert "rule" not in find(api, device)["auth_sets"][0]

    def test_the_events_are_those_of_an_acceptance_by_a_user(self, api, new):
        http = {"url": "https://receiver.example.com/events"}
        hook = {"provider": "webhook", "credentials": {"type": "http", "http": http}}
        assert api.post("/api/management/v1/iot-manager/integrations", json=hook).status_code == 201
        by_user, by_rule = new(), new()
        accept(api, by_user)
        create(api, pattern())
        by_rule.auth()

        events = api.get("/api/management/v1/iot-manager/events", params={"per_page": 100}).json()

        told: dict[str, list[tuple[str, str]]] = {}
        for each in reversed(events):
            told.setdefault(each["data"]["id"], []).append((each["type"], each["data"].get("status", "")))
        assert told[by_rule.id] == told[by_user.id]
        assert [kind for kind, _ in told[by_rule.id]] == [
            "device-status-changed",
            "device-status-changed",
            "device-provisioned",
        ]


class TestNeverAccepted:
    """A rule decides about devices that nobody has decided about."""

    def test_a_rejected_device(self, api, new):
        device = new()
        device.auth()
        decide(api, device, "rejected")
        create(api, pattern())

        assert device.auth().status_code == 401
        device.key = new_key()
        assert device.auth().status_code == 401
        assert find(api, device)["status"] == "pending"

    def test_another_key_of_an_accepted_device(self, api, new):
        create(api, pattern())
        device = new()
        device.auth()
        copied = Device(device.http, device.tenant_token, identity=device.identity)

        assert copied.auth().status_code == 401

        assert [each["status"] for each in find(api, device)["auth_sets"]] == ["accepted", "pending"]
        assert device.auth().status_code == 200

    @pytest.mark.parametrize("status", ["pending", "rejected"])
    def test_a_device_that_was_accepted_once(self, api, new, status):
        create(api, pattern())
        device = new()
        device.auth()
        decide(api, device, status)

        assert device.auth().status_code == 401

    def test_two_keys_that_claim_the_same_identity(self, api, new):
        device = new()
        device.auth()
        copied = Device(device.http, device.tenant_token, identity=device.identity)
        copied.auth()
        create(api, pattern())

        assert (device.auth().status_code, copied.auth().status_code) == (401, 401)

    def test_a_preauthorized_identity_with_another_key(self, api, new):
        create(api, pattern())
        device = new()
        api.post(DEVICES, json={"identity_data": device.identity, "pubkey": device.pubkey})
        copied = Device(device.http, device.tenant_token, identity=device.identity)

        assert copied.auth().status_code == 401
        assert device.auth().status_code == 200

    def test_a_decommissioned_device(self, api, new, tenant):
        create(api, pattern())
        device = new()
        device.auth()
        device_id, old = device.id, device.identity
        assert api.delete(device_path(device_id)).status_code == 204
        decommissioning.clear_out(tenant.id, device_id)
        assert service.is_leaving(tenant.id, device_id)

        assert device.auth().status_code == 401
        assert find(api, device)["status"] == "pending"
        assert api.post(PREVIEW, json=pattern()).json()["total"] == 0
        # A user may still accept it.
        assert decide(api, device, "accepted").status_code == 204
        assert device.auth().status_code == 200
        assert device.identity == old

    def test_more_devices_than_the_tenant_may_have(self, api, new, tenant, monkeypatch):
        moment = Clock(monkeypatch)
        tenantadm.set_limits(tenant.id, max_devices=1)
        rule_id = create(api, pattern())
        first, second = new(), new()

        assert (first.auth().status_code, second.auth().status_code) == (200, 401)

        assert find(api, second)["status"] == "pending"
        assert rule(api, rule_id)["accepted_today"] == 1
        with counted() as cost:
            assert second.auth().status_code == 401
        assert cost.write_units == 0
        tenantadm.set_limits(tenant.id, max_devices=2)
        moment.move(seconds=limits.ACCEPTANCE_PAUSE + 1)
        assert second.auth().status_code == 200


class TestDailyLimit:
    @pytest.fixture(autouse=True)
    def moment(self, monkeypatch: pytest.MonkeyPatch) -> Clock:
        """The time stands still: at midnight, devices are counted anew."""
        return Clock(monkeypatch)

    def test_a_day_ends_at_midnight_in_utc(self, api, new, moment):
        moment.time = moment.time.replace(hour=23, minute=50, second=0)
        rule_id = create(api, pattern(max_per_day=1))
        first, second = new(), new()
        assert (first.auth().status_code, second.auth().status_code) == (200, 401)
        assert rule(api, rule_id)["accepted_today"] == 1

        moment.move(minutes=11)

        assert rule(api, rule_id)["accepted_today"] == 0
        assert second.auth().status_code == 200

    def test_a_changed_limit_counts_anew(self, api, new):
        rule_id = create(api, pattern(max_per_day=1))
        assert [new().auth().status_code for _ in range(2)] == [200, 401]
        assert api.put(f"{RULES}/{rule_id}", json=pattern(max_per_day=2)).status_code == 204
        assert [new().auth().status_code for _ in range(3)] == [200, 200, 401]

    def test_another_rule_may_accept_what_is_over_the_limit(self, api, new):
        first, second = create(api, pattern(max_per_day=1)), create(api, pattern(name="second"))
        assert [new().auth().status_code for _ in range(3)] == [200, 200, 200]
        assert [rule(api, each)["accepted_today"] for each in (first, second)] == [1, 2]

    @pytest.mark.parametrize("spread", [1000, 1])
    def test_exactly_as_many_of_simultaneous_devices_are_accepted(self, api, new, tenant, server, monkeypatch, spread):
        """Counted in one item, and in several, some of which have no share."""
        monkeypatch.setattr(limits, "ACCEPTANCE_SPREAD", spread)
        rule_id = create(api, pattern(max_per_day=20))
        devices = [new() for _ in range(70)]

        def ask(device: Device) -> int:
            with httpx2.Client(base_url=server.url, timeout=60) as client:
                device.http = client
                answer = device.auth()
                while answer.status_code == 503:  # lost too many races
                    answer = device.auth()
                return answer.status_code

        answers = Counter(concurrently([partial(ask, device) for device in devices]))

        assert answers == {200: 20, 401: 50}
        assert api.get(f"{DEVICES}/count", params={"status": "accepted"}).json() == {"count": 20}
        assert rule(api, rule_id)["accepted_today"] == 20


class TestCost:
    """No use, no cost; and with rules, none for devices that are known."""

    @pytest.fixture
    def ruled(self, api, new, warm):
        create(api, pattern(max_per_day=1))
        accepted, over, other = new(), new(), new("b")
        assert [each.auth().status_code for each in (accepted, over, other)] == [200, 401, 401]
        return accepted, over, other

    def test_known_devices_cost_what_they_cost_without_rules(self, ruled):
        accepted, over, other = ruled
        for device, status in ((accepted, 200), (over, 401), (other, 401)):
            with counted() as cost:
                assert device.auth().status_code == status
            assert cost.calls == ["Query"]
            assert (cost.read_units, cost.write_units) == (1, 0)

    def test_without_rules_a_first_request_costs_the_same_as_before(self, new, warm):
        new().auth()
        with counted() as plain:
            new().auth()
        assert plain.by_operation == {"GetItem": 1, "Query": 1, "UpdateItem": 1, "TransactWriteItems": 1}

    def test_with_rules_a_first_request_of_another_device_costs_no_more(self, ruled, new):
        with counted() as cost:
            new("c").auth()
        assert cost.by_operation == {"Query": 2, "UpdateItem": 1, "TransactWriteItems": 1}

    def test_an_acceptance_costs_less_than_one_by_a_user(self, api, http, tenant, new, warm):
        first, by_rule = new(), new()
        by_user = [Device(http, tenant.tenant_token) for _ in range(2)]
        accept(api, by_user[0])
        with counted() as users:
            accept(api, by_user[1])
        create(api, pattern(max_per_day=5))
        first.auth()
        with counted() as cost:
            assert by_rule.auth().status_code == 200
        assert cost.round_trips <= 9
        assert cost.write_units <= 33
        assert cost.write_units < users.write_units

    def test_no_poll_costs_more(self, ruled):
        accepted, *_ = ruled
        accepted.poll()
        with counted() as cost:
            assert accepted.poll().status_code == 204
        assert cost.calls == ["GetItem"]


def test_rules_accept_devices_of_a_large_tenant(api, new, tenant):
    control_items.divide(tenant.id, 128, clock.now())
    rule_id = create(api, pattern(max_per_day=2))
    assert [new().auth().status_code for _ in range(3)] == [200, 200, 401]
    assert rule(api, rule_id)["accepted_today"] == 2


def test_identity_data_are_compared_in_their_normal_form(api, http, tenant):
    create(api, pattern(pattern={"n": "1", "big": "1e+21", "yes": "true"}))
    device = Device(http, tenant.tenant_token, identity=json.loads('{"n": 1.0, "big": 1e21, "yes": true}'))
    assert device.auth().status_code == 200
    for identity in ({"n": [1], "big": 1e21, "yes": True}, {"n": None, "big": 1e21, "yes": True}):
        assert Device(http, tenant.tenant_token, identity=identity).auth().status_code == 401


def test_the_device_limit_and_the_sets_of_a_device_stay_as_they_are(api, new):
    """A device that is accepted by a rule is like any other: a user can reject it, and another key needs a user."""
    create(api, pattern())
    device = new()
    device.auth()
    _, set_id = set_of(api, device)
    assert find(api, device)["auth_sets"][0]["id"] == set_id
    assert decide(api, device, "rejected").status_code == 204
    assert device.inventory().status_code == 401

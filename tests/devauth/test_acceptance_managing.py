"""Acceptance rules as users manage and preview them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import httpx2
import pytest

from chalicelib import limits
from tests.devauth.acceptance import AUDIT, PREVIEW, RULES, create, pattern, rule
from tests.devauth.fleet import decide, find
from tests.devauth.test_races import concurrently
from tests.simulator.device import Device
from tests.support.probe import counted

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def new(http: httpx2.Client, tenant) -> Callable[..., Device]:
    """Create a device with a serial number that is unknown to the server."""
    return lambda serial: Device(http, tenant.tenant_token, identity={"serial": serial})


class TestManaging:
    def test_a_rule_is_shown_as_it_was_created(self, api):
        rule_id = create(api, pattern(max_per_day=7))
        shown = rule(api, rule_id)
        assert shown.pop("created_ts") == shown.pop("updated_ts")
        assert shown == {
            "id": rule_id,
            "name": "by serial",
            "type": "pattern",
            "enabled": True,
            "pattern": {"serial": "a*"},
            "certificates": [],
            "authorities": [],
            "common_name": "",
            "max_per_day": 7,
            "accepted_today": 0,
        }

    @pytest.mark.parametrize(
        "change",
        [
            {"name": " "},
            {"name": "n" * 257},
            {"type": "regex"},
            {"type": "identities", "certificates": ["x"]},
            {"type": "certificate"},
            {"type": "certificate", "certificates": ["x"]},
            {"type": "certificate", "certificates": ["x"] * 11},
            {"pattern": {}},
            {"pattern": {"": "a"}},
            {"pattern": {"a": ""}},
            {"pattern": {"a": "a" * 257}},
            {"pattern": {str(number): "a" for number in range(11)}},
            {"pattern": {"a": 1}},
            {"common_name": "serial"},
            {"max_per_day": -1},
            {"max_per_day": 1_000_001},
        ],
    )
    def test_invalid_rules_are_refused(self, api, change):
        rule_id = create(api, pattern(name="first"))
        for answer in (
            api.post(RULES, json=pattern() | change),
            api.put(f"{RULES}/{rule_id}", json=pattern() | change),
            api.post(PREVIEW, json=pattern() | change),
        ):
            assert answer.status_code == 400, answer.text
        assert len(api.get(RULES).json()) == 1

    def test_the_number_of_rules_is_limited(self, api):
        for number in range(limits.ACCEPTANCE_RULES):
            create(api, pattern(name=str(number)))
        answer = api.post(RULES, json=pattern())
        assert answer.status_code == 422
        assert "max: 20" in answer.json()["error"]

    def test_the_type_of_a_rule_cannot_change(self, api):
        rule_id = create(api, pattern())
        answer = api.put(f"{RULES}/{rule_id}", json={"name": "x", "type": "identities"})
        assert answer.status_code == 400

    def test_names_are_unique(self, api):
        create(api, pattern())
        other = create(api, pattern(name="other"))
        assert api.post(RULES, json=pattern()).status_code == 409
        assert api.put(f"{RULES}/{other}", json=pattern()).status_code == 409
        assert api.put(f"{RULES}/{other}", json=pattern(name="other", max_per_day=1)).status_code == 204

    def test_unknown_rules_are_not_found(self, api):
        assert api.put(f"{RULES}/x", json=pattern()).status_code == 404
        assert api.delete(f"{RULES}/x").status_code == 404

    def test_changes_at_the_same_moment_are_all_stored(self, api, server):
        def add(name: str) -> int:
            with httpx2.Client(base_url=server.url, headers=api.headers, timeout=60) as client:
                return client.post(RULES, json=pattern(name=name)).status_code

        assert concurrently([partial(add, str(number)) for number in range(8)]) == [201] * 8
        assert len({each["id"] for each in api.get(RULES).json()}) == 8

    def test_an_audit_entry_says_what_changed(self, api):
        rule_id = create(api, pattern())
        api.put(f"{RULES}/{rule_id}", json=pattern(enabled=False))
        api.delete(f"{RULES}/{rule_id}")
        deleted, changed, created = api.get(AUDIT, params={"object_type": "settings"}).json()
        assert [each["action"] for each in (created, changed, deleted)] == ["create", "update", "delete"]
        assert changed["change"] == "enabled: True -> False"
        assert changed["object"]["id"] == f"acceptance/{rule_id}"
        assert "pattern: none -> {'serial': 'a*'}" in created["change"]

    def test_only_users_with_the_right_change_rules(self, api, tenant, sign_in):
        sets = [{"name": "ManageAcceptance"}]
        api.post("/api/management/v2/useradm/roles", json={"name": "Gatekeeper", "permission_sets_with_scope": sets})
        managing = [{"name": "ManageDevices"}]
        api.post("/api/management/v2/useradm/roles", json={"name": "Manager", "permission_sets_with_scope": managing})
        assert sign_in(tenant, "Gatekeeper").post(RULES, json=pattern()).status_code == 201
        manager = sign_in(tenant, "Manager")
        assert manager.post(RULES, json=pattern()).status_code == 403
        assert manager.get(RULES).status_code == 200


class TestPreview:
    def test_it_lists_the_pending_devices_that_would_be_accepted(self, api, new, tenant):
        devices = [new(serial) for serial in ("a1", "a2", "a3", "b")]
        for device in devices:
            device.auth()
        decide(api, devices[0], "rejected")
        with counted() as cost:
            answer = api.post(PREVIEW, json=pattern(), params={"per_page": 1})

        assert cost.write_units == 0
        shown = answer.json()
        assert (shown["total"], shown["checked"], shown["complete"]) == (2, 3, True)
        assert answer.headers["X-Total-Count"] == "2"
        expected = sorted(find(api, device)["id"] for device in devices[1:3])
        assert [each["id"] for each in shown["devices"]] == expected[:1]
        second = api.post(PREVIEW, json=pattern(), params={"per_page": 1, "page": 2}).json()
        assert [each["id"] for each in second["devices"]] == expected[1:]

    def test_it_stores_nothing(self, api, new):
        device = new("a")
        device.auth()
        api.post(PREVIEW, json=pattern())
        assert api.get(RULES).json() == []
        assert device.auth().status_code == 401

    def test_it_says_that_not_all_devices_were_checked(self, api, new, monkeypatch):
        monkeypatch.setattr("chalicelib.limits.PREVIEW_DEVICES", 2)
        monkeypatch.setattr("chalicelib.devauth.management_v2.acceptance.PREVIEW_DEVICES", 2)
        for serial in ("a1", "a2", "a3"):
            new(serial).auth()
        shown = api.post(PREVIEW, json=pattern()).json()
        assert (shown["total"], shown["checked"], shown["complete"]) == (2, 2, False)

"""Preauthorization, and the device limit, which is checked when the device calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.tenantadm import service as tenantadm
from tests.devauth.fleet import DEVICES, accept, decide, device_path, find, set_of
from tests.simulator.device import Device, new_key

if TYPE_CHECKING:
    import httpx2

LIMITS = "/api/management/v2/devauth/limits"


def preauth(api: httpx2.Client, device: Device, **more: Any) -> httpx2.Response:
    return api.post(DEVICES, json={"identity_data": device.identity, "pubkey": device.pubkey, **more})


def test_a_preauthorized_device_gets_its_token_at_once(api, device):
    answer = preauth(api, device)
    assert answer.status_code == 201
    shown = find(api, device)
    assert answer.headers["location"] == f"devices/{shown['id']}"
    assert (shown["status"], shown["auth_sets"][0]["status"]) == ("preauthorized", "preauthorized")
    for status in ("accepted", "rejected", "pending"):
        refused = decide(api, device, status)
        assert (refused.status_code, refused.json()["error"]) == (400, "dev auth: bad request")
    assert device.auth().status_code == 200
    assert device.id == shown["id"]
    assert find(api, device)["status"] == "accepted"


def test_preauthorizing_a_known_device(api, device):
    accept(api, device)
    known = find(api, device)
    other = Device(device.http, device.tenant_token, identity=device.identity)
    answer = preauth(api, other)
    assert answer.status_code == 409
    assert answer.json() == known | {"auth_sets": None}
    assert preauth(api, other, force=True).status_code == 201
    shown = find(api, device)
    assert shown["status"] == "accepted"
    assert [item["status"] for item in shown["auth_sets"]] == ["accepted", "preauthorized"]
    assert device.inventory().status_code == 200
    assert other.auth().status_code == 200
    assert device.inventory().status_code == 401
    assert sorted(item["status"] for item in find(api, device)["auth_sets"]) == ["accepted", "rejected"]


def test_preauthorizing_a_pending_key_by_force(api, device):
    device.auth()
    assert preauth(api, device, force=True).status_code == 201
    shown = find(api, device)
    assert (shown["status"], [item["status"] for item in shown["auth_sets"]]) == ("pending", ["preauthorized"])
    assert device.auth().status_code == 200


def test_removing_the_last_preauthorized_set_removes_the_device(server, api, device):
    preauth(api, device)
    device_id, set_id = set_of(api, device)
    assert api.delete(f"{device_path(device_id)}/auth/{set_id}").status_code == 204
    assert api.get(device_path(device_id)).status_code == 404
    assert api.get(f"{DEVICES}/count").json() == {"count": 0}
    assert api.get(f"/api/management/v1/inventory/devices/{device_id}").status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"identity_data": {}},
        {"identity_data": None},
        {"identity_data": "x"},
        {"identity_data": []},
        {"pubkey": ""},
        {"pubkey": None},
        {"pubkey": "x"},
        {"force": "yes"},
    ],
)
def test_invalid_preauthorizations_are_refused(api, device, change):
    answer = preauth(api, device, **change)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("failed to decode preauth request: ")


def test_a_preauthorized_identity_matches_that_of_the_device(api, device):
    device.identity = {"sn": 1.0, "mac": device.identity["mac"], "x": {"b": 1, "a": [1e21, "é<"]}}
    assert preauth(api, device).status_code == 201
    device.identity = json.loads(json.dumps(device.identity), object_pairs_hook=lambda p: dict(reversed(p)))
    assert device.auth().status_code == 200


def test_the_limit_of_accepted_devices(api, http, tenant):
    waiting, device = (Device(http, tenant.tenant_token) for _ in range(2))
    waiting.auth()
    accept(api, device)
    assert api.get(f"{LIMITS}/max_devices").json() == {"limit": -1}
    for name in ("device", "storage"):
        assert api.get(f"{LIMITS}/{name}").status_code == 400
    tenantadm.set_limits(tenant.id, max_devices=1)
    assert api.get(f"{LIMITS}/max_devices").json() == {"limit": 1}
    answer = decide(api, waiting, "accepted")
    assert (answer.status_code, answer.json()["error"]) == (422, "maximum number of accepted devices reached")
    assert find(api, waiting)["status"] == "pending"
    # An accepted device with another key is not counted twice.
    device.key = new_key()
    device.auth()
    assert decide(api, device, "accepted").status_code == 204
    expected = Device(http, tenant.tenant_token)
    preauth(api, expected)
    answer = expected.auth()
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert find(api, expected)["status"] == "preauthorized"
    decide(api, device, "rejected")
    assert expected.auth().status_code == 200


def test_a_limit_of_zero_accepts_no_device(api, device, tenant):
    tenantadm.set_limits(tenant.id, max_devices=0)
    device.auth()
    assert decide(api, device, "accepted").status_code == 422

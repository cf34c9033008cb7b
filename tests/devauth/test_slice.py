"""The first calls of every device: refused, accepted, and reporting its inventory."""

from __future__ import annotations

from tests.simulator.device import Device


def test_a_device_is_refused_until_it_is_accepted_and_then_reports(http, api, tenant):
    device = Device(http, tenant.tenant_token)
    refused = device.auth()
    assert refused.status_code == 401
    assert refused.json()["error"] == "dev auth: unauthorized"

    (listed,) = api.get("/api/management/v2/devauth/devices").json()
    assert listed["status"] == "pending"
    (auth_set,) = listed["auth_sets"]
    path = f"/api/management/v2/devauth/devices/{listed['id']}/auth/{auth_set['id']}/status"
    accepted = api.put(path, json={"status": "accepted"})
    assert accepted.status_code == 204, accepted.text
    assert api.get(path).json() == {"status": "accepted"}

    granted = device.auth()
    assert granted.status_code == 200, granted.text
    assert granted.headers["content-type"] == "application/jwt"
    assert device.id == listed["id"]

    reported = device.inventory({"device_type": "qemux86-64", "cpus": 4})
    assert reported.status_code == 200, reported.text
    assert not reported.content

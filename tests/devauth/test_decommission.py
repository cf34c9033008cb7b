"""Decommissioning: the device is refused at once, and a worker that may run repeatedly deletes its data."""

from __future__ import annotations

import pytest

from chalicelib.aws import queues
from chalicelib.devauth.service import decommissioning as leaving
from chalicelib.errors import Unavailable
from chalicelib.events import decommissioning
from chalicelib.fleet import heads, membership
from tests.devauth.fleet import accept, device_path


def test_calls_are_refused_at_once_and_everything_is_gone_after_the_worker(server, api, device, tenant):
    accept(api, device)
    path = device_path(device.id)
    api.put(f"/api/management/v1/inventory/devices/{device.id}/group", json={"group": "stable"})

    assert api.delete(path).status_code == 204
    assert device.inventory().status_code == 401
    assert device.auth().status_code == 401
    assert api.get(path).json()["decommissioning"] is True
    # It is no longer a target of any deployment.
    assert list(membership.accepted_devices(tenant.id)) == []
    assert list(membership.group_members(tenant.id, "stable", status="accepted")) == []

    server.drain()
    assert api.get(path).status_code == 404
    assert api.get(f"/api/management/v1/inventory/devices/{device.id}").status_code == 404
    assert api.get("/api/management/v2/devauth/devices/count").json() == {"count": 0}
    assert api.get("/api/management/v1/inventory/groups").json() == []
    assert heads.find(tenant.id, device.id) is None
    assert list(membership.accepted_devices(tenant.id)) == []
    assert list(membership.group_members(tenant.id, "stable")) == []
    answer = api.delete(path)
    assert (answer.status_code, answer.content) == (404, b"")


def test_the_worker_may_run_twice_and_does_not_affect_other_devices(server, api, device, tenant):
    accept(api, device)
    decommissioning.clear_out(tenant.id, device.id)
    assert device.inventory().status_code == 200
    api.delete(device_path(device.id))
    decommissioning.clear_out(tenant.id, device.id)
    decommissioning.clear_out(tenant.id, device.id)
    server.drain()
    assert api.get(device_path(device.id)).status_code == 404


def test_after_a_crashed_worker_another_finishes_the_work(server, api, device, tenant, monkeypatch):
    accept(api, device)
    api.delete(device_path(device.id))

    def die(*_: object) -> None:
        raise RuntimeError("crashed")

    with monkeypatch.context() as patch:
        patch.setattr(leaving, "save", die)
        with pytest.raises(RuntimeError):
            decommissioning.clear_out(tenant.id, device.id)
    assert api.get(device_path(device.id)).json()["decommissioning"] is True
    server.drain()
    assert api.get(device_path(device.id)).status_code == 404


def test_if_the_queue_fails_the_device_is_refused_and_the_next_delete_sends_again(server, api, device, monkeypatch):
    accept(api, device)

    def down(*_: object) -> None:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(queues, "send", down)
        assert api.delete(device_path(device.id)).status_code == 503
    assert device.inventory().status_code == 401
    server.drain()
    assert api.get(device_path(device.id)).json()["decommissioning"] is True
    assert api.delete(device_path(device.id)).status_code == 204
    server.drain()
    assert api.get(device_path(device.id)).status_code == 404


def test_a_device_that_returns_is_a_new_one(server, api, device):
    accept(api, device)
    old = device.id
    api.delete(device_path(old))
    server.drain()
    assert device.auth().status_code == 401
    (listed,) = api.get("/api/management/v2/devauth/devices").json()
    assert (listed["status"], listed["id"] == old) == ("pending", False)


def test_the_status_of_a_device_cannot_change_during_decommissioning(api, device):
    accept(api, device)
    aid = device.claims["jti"]
    api.delete(device_path(device.id))
    status = f"{device_path(device.id)}/auth/{aid}/status"
    assert api.put(status, json={"status": "accepted"}).status_code == 404
    assert api.delete(f"{device_path(device.id)}/auth/{aid}").status_code == 404
    body = {"identity_data": device.identity, "pubkey": device.pubkey, "force": True}
    assert api.post("/api/management/v2/devauth/devices", json=body).status_code == 409

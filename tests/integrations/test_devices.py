"""Events of devices: complete, in order, and signed (``docs/behaviour.md#webhook-events``)."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from chalicelib.tenantadm import service
from tests.deployments.world import World
from tests.devauth.fleet import DEVICES, decide, device_path, find, set_of
from tests.integrations.conftest import NEW_DEVICE, SECRET, Hooks
from tests.simulator.device import Device
from tests.support.time import Clock


def test_all_events_of_a_device(hooks: Hooks, world, server):
    hook = hooks(secret=SECRET)
    device = world.device()
    known = find(world.api, device)
    assert world.api.delete(device_path(device.id)).status_code == 204
    server.drain()

    waiting, changed, provisioned, gone = hook.posted()

    assert waiting["type"] == "device-status-changed"
    assert waiting["data"] == {"id": device.id, "status": "pending"}
    assert provisioned["type"] == "device-provisioned"
    shown = ("id", "identity_data", "pubkey", "ts", "status")
    auth_set = {name: known["auth_sets"][0][name] for name in shown}
    assert provisioned["data"] == {
        "id": device.id,
        "status": "accepted",
        "auth_sets": [auth_set],
        "created_ts": known["created_ts"],
    }
    assert changed["type"] == "device-status-changed"
    assert changed["data"] == {"id": device.id, "status": "accepted"}
    assert gone["type"] == "device-decommissioned"
    assert gone["data"] == {"id": device.id}
    for event in (waiting, changed, provisioned, gone):
        assert set(event) == {"id", "type", "data", "time"}
        assert datetime.fromisoformat(event["time"]).tzinfo is not None
    assert len({event["id"] for event in (waiting, changed, provisioned, gone)}) == 4


def test_each_post_is_signed_over_its_bytes(hooks: Hooks, world):
    hook = hooks(secret=SECRET)
    world.device()
    hook.posted()

    for sent in hook.listener.received:
        assert sent.line == "POST /hook HTTP/1.1"
        assert sent.headers["content-type"] == "application/json"
        assert sent.headers["x-men-algorithm"] == "MEN-HMAC-SHA256-Payload"
        good = hmac.new(bytes.fromhex(SECRET), sent.body, hashlib.sha256).hexdigest()
        assert sent.headers["x-men-signature"] == good
    assert len(hook.listener.received) == 3


def test_posts_without_a_secret_are_not_signed(hooks: Hooks, world):
    hook = hooks()
    world.device()

    assert len(hook.posted()) == 3
    assert not any("x-men-signature" in sent.headers for sent in hook.listener.received)


def test_later_changes_of_status(hooks: Hooks, world):
    hook = hooks()
    device = world.device()
    for status in ("rejected", "accepted", "pending", "pending", "accepted"):
        assert decide(world.api, device, status).status_code == 204

    statuses = [event["data"].get("status") for event in hook.posted() if event["type"] == "device-status-changed"]

    assert statuses == ["pending", "accepted", "rejected", "accepted", "pending", "accepted"]
    assert [kind for kind, _ in hook.told()].count("device-provisioned") == 1


def test_a_new_key_of_a_rejected_device_is_pending(hooks: Hooks, world):
    hook = hooks()
    device = Device(world.http, world.token)
    device.auth()
    decide(world.api, device, "rejected")
    Device(world.http, world.token, identity=device.identity).auth()

    assert [event["data"]["status"] for event in hook.posted()] == ["pending", "rejected", "pending"]


def test_another_key_of_an_accepted_device_causes_no_event(hooks: Hooks, world):
    hook = hooks()
    device = world.device()
    twin = Device(world.http, world.token, identity=device.identity)
    twin.auth()
    decide(world.api, twin, "accepted")

    assert [kind for kind, _ in hook.told()] == NEW_DEVICE


def test_a_preauthorized_device_is_provisioned_by_its_own_request(hooks: Hooks, world):
    hook = hooks()
    device = Device(world.http, world.token)
    body = {"identity_data": device.identity, "pubkey": device.pubkey}
    assert world.api.post(DEVICES, json=body).status_code == 201
    assert hook.told() == []
    assert device.auth().status_code == 200

    assert [kind for kind, _ in hook.told()] == ["device-status-changed", "device-provisioned"]


def test_a_pending_device_removed_by_the_limit_is_reported_as_decommissioned(hooks: Hooks, world, server, monkeypatch):
    moment = Clock(monkeypatch)
    assert world.api.put("/api/management/v2/tenantadm/settings", json={"pending_devices": 1}).status_code == 204
    hook = hooks()
    ids = []
    for _ in range(2):
        device = Device(world.http, world.token)
        device.auth()
        ids.append(find(world.api, device)["id"])
        moment.move(hours=2)
    server.drain()

    told = [(event["type"], event["data"]) for event in hook.posted()]
    pending, gone = "device-status-changed", "device-decommissioned"
    assert [event for event in told if event[1]["id"] == ids[0]] == [
        (pending, {"id": ids[0], "status": "pending"}),
        (gone, {"id": ids[0]}),
    ]
    assert [event for event in told if event[1]["id"] == ids[1]] == [(pending, {"id": ids[1], "status": "pending"})]
    assert len(told) == 3


def test_a_device_removed_with_its_last_auth_set(hooks: Hooks, world):
    hook = hooks()
    device = Device(world.http, world.token)
    world.api.post(DEVICES, json={"identity_data": device.identity, "pubkey": device.pubkey})
    device_id, aid = set_of(world.api, device)
    assert world.api.delete(f"{device_path(device_id)}/auth/{aid}").status_code == 204

    assert hook.told() == [("device-decommissioned", device_id)]


def test_decommissioning_twice_causes_one_event(hooks: Hooks, world, server):
    hook = hooks()
    device = world.device()
    for _ in range(3):
        assert world.api.delete(device_path(device.id)).status_code == 204
    server.drain()

    assert [kind for kind, _ in hook.told()].count("device-decommissioned") == 1


def test_a_tenant_gets_events_of_its_own_devices_only(hooks: Hooks, world, sign_in, http):
    other = service.create_tenant("Other")
    theirs = World(sign_in(other), http, other.tenant_token)
    hook, their_hook = hooks(), hooks(client=theirs.api)
    device, their_device = world.device(), theirs.device()

    assert {subject for _, subject in hook.told()} == {device.id}
    assert {subject for _, subject in their_hook.told()} == {their_device.id}
    assert {event["data"]["id"] for event in hook.events()} == {device.id}
    assert their_hook.events(integration_id=hook.id) == []

"""Events of the scopes ``deployments`` and ``inventory``."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from chalicelib import clock
from tests.deployments.world import serves
from tests.devauth.fleet import device_path
from tests.integrations.conftest import Hooks


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event["data"] for event in events if event["type"] == kind]


@pytest.fixture
def hook(hooks: Hooks):
    return hooks(scopes=["deployments"])


def test_all_events_of_a_deployment(hook, world):
    world.upload("v2")
    devices = [world.device() for _ in range(3)]
    deployment = world.deploy("v2", name="spring")
    for device, status in zip(devices, ("success", "failure", "already-installed"), strict=True):
        serves(device.poll(), deployment)
        device.report(deployment, status)

    events = hook.posted()

    about = {"id": deployment, "name": "spring", "artifact_name": "v2"}
    (created,) = of(events, "deployment-created")
    assert created.pop("created")
    assert created == about | {"max_devices": 3, "phase_count": 0}
    assert of(events, "deployment-finished") == [about]
    assert sorted(of(events, "deployment-device-finished"), key=lambda data: data["status"]) == [
        about | {"device_id": device.id, "status": status}
        for device, status in zip(
            (devices[2], devices[1], devices[0]), ("already-installed", "failure", "success"), strict=True
        )
    ]
    assert len(events) == 5
    listed = hook.events(integration_id=hook.id)
    assert kinds(listed[::-1]) == ["deployment-created", *["deployment-device-finished"] * 3, "deployment-finished"]
    assert [event["data"]["id"] for event in events if event["type"] in {"deployment-created", "deployment-finished"}]
    assert kinds(events).index("deployment-created") < kinds(events).index("deployment-finished")


def test_approvals(hook, world, sign_in, tenant):
    world.upload("v2")
    world.device(), world.device()
    settings = "/api/management/v2/tenantadm/settings"
    assert world.api.put(settings, json={"approval_devices": 1}).status_code == 204
    second = sign_in(tenant)
    phases = [{"batch_size_devices": 1}, {"start_ts": clock.rfc3339(clock.now() + timedelta(days=9))}]
    approved, rejected = world.deploy("v2", phases=phases), world.deploy("v2", name="other")
    place = "/api/management/v1/deployments/deployments"
    for deployment in (approved, rejected):
        decision = {"approve": deployment == approved, "comment": "Seen"}
        assert second.post(f"{place}/{deployment}/approval", json=decision).status_code == 204

    events = hook.posted()

    def told(deployment: str) -> list[str]:
        return kinds([event for event in events if event["data"]["id"] == deployment])

    requested = ["deployment-created", "deployment-approval-requested"]
    assert told(approved) == [*requested, "deployment-approved", "deployment-phase-opened"]
    assert told(rejected) == [*requested, "deployment-rejected", "deployment-aborted"]
    me = "/api/management/v1/useradm/users/me"
    first, other = ({name: api.get(me).json()[name] for name in ("id", "email")} for api in (world.api, second))
    # Events of different deployments arrive in any order.
    asked = next(each for each in of(events, "deployment-approval-requested") if each["id"] == approved)
    about = {"id": approved, "name": "rollout", "artifact_name": "v2"}
    assert asked == about | {"requested_by": first, "expires": world.show(approved)["approval"]["expires"]}
    assert of(events, "deployment-approved") == [about | {"decided_by": other, "comment": "Seen"}]


def test_an_abort(hook, world):
    world.upload("v2")
    device = world.device()
    deployment = world.deploy("v2")
    serves(device.poll(), deployment)
    world.abort(deployment)
    device.report(deployment, "success")

    assert kinds(hook.posted()) == ["deployment-created", "deployment-aborted"]


def test_a_decommissioned_device_has_a_final_event(hook, world, server):
    world.upload("v2")
    device = world.device()
    deployment = world.deploy("v2")
    assert world.api.delete(device_path(device.id)).status_code == 204
    server.drain()

    events = hook.posted()
    (left,) = of(events, "deployment-device-finished")
    assert (left["device_id"], left["status"]) == (device.id, "decommissioned")
    assert [data["id"] for data in of(events, "deployment-finished")] == [deployment]


def test_a_device_without_a_fitting_artifact_has_a_final_event(hook, world):
    world.upload("v2", ("other",))
    device = world.device()
    world.deploy("v2")
    device.poll()

    assert [data["status"] for data in of(hook.posted(), "deployment-device-finished")] == ["noartifact"]


def test_events_of_opening_phases(hook, world, server):
    world.upload("v2")
    for _ in range(4):
        world.device()
    later = clock.now() + timedelta(hours=1)
    deployment = world.deploy("v2", phases=[{"batch_size": 50}, {"start_ts": later.strftime("%Y-%m-%dT%H:%M:%SZ")}])
    assert kinds(hook.posted()) == ["deployment-created", "deployment-phase-opened"]

    with time_machine.travel(later + timedelta(seconds=5)):
        server.workers.fire("tick")
        server.workers.fire("tick")
        events = hook.posted()

    assert of(events, "deployment-phase-opened") == [{"id": deployment, "phase": 1}, {"id": deployment, "phase": 2}]


def test_events_of_changed_inventories(hooks: Hooks, world):
    hook = hooks(scopes=["inventory"])
    device = world.device()
    device.inventory()
    device.inventory()
    first = len(hook.posted())
    assert first == 1
    (event,) = hook.posted()
    assert event["type"] == "device-inventory-changed"
    assert set(event["data"]) == {"device_id", "tenant_id", "inventory"}
    assert event["data"]["device_id"] == device.id
    assert event["data"]["inventory"]["device_type"] == device.device_type

    # A day later the same report is written again, without an event.
    with time_machine.travel(clock.now() + timedelta(days=1)):
        assert device.inventory().status_code == 200
    assert Counter(kinds(hook.posted())) == {"device-inventory-changed": 1}

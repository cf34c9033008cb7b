"""A crash at any storage call: after the next run, exactly the right events exist."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
import time_machine

from chalicelib import clock
from chalicelib.integrations.service import delivering
from chalicelib.integrations.tables import outboxes
from tests.devauth.fleet import DEVICES, device_path, set_of
from tests.integrations.conftest import NEW_DEVICE, Hook, Hooks
from tests.simulator.device import Device
from tests.support.crashes import PowerCutError, power_cut

WHEN = [pytest.param(False, id="before"), pytest.param(True, id="after")]


def sweep(case: Callable[[], Callable[[], Any]], *, after: bool) -> int:
    """Run each ``case`` with a crash at its n-th storage call, then again; returns the number of calls."""
    for number in count(1):
        act = case()
        with power_cut(number, answered=after) as cut, suppress(PowerCutError):
            act()
        act()
        if not cut.happened:
            return number
    raise AssertionError


def events_of(hook: Hook, subject: str) -> list[str]:
    """The events of a device or deployment in order, without repeated deliveries."""
    with time_machine.travel(clock.now() + timedelta(minutes=5)):
        hook.server.workers.run_once()
    found = {event["id"]: event["type"] for event in hook.posted() if subject == event["data"]["id"]}
    return list(found.values())


@pytest.mark.parametrize("after", WHEN)
def test_accepting_a_device(hooks: Hooks, world, after: bool):
    hook = hooks()
    made: list[str] = []

    def case() -> Callable[[], Any]:
        device = Device(world.http, world.token)
        device.auth()
        device_id, aid = set_of(world.api, device)
        made.append(device_id)
        path = f"{device_path(device_id)}/auth/{aid}/status"
        return lambda: world.api.put(path, json={"status": "accepted"})

    assert sweep(case, after=after) > 5
    for device_id in made:
        assert events_of(hook, device_id) == NEW_DEVICE


@pytest.mark.parametrize("after", WHEN)
def test_decommissioning_a_device(hooks: Hooks, world, server, after: bool):
    made = [world.device().id for _ in range(30)]
    hook = hooks()
    used: list[str] = []

    def case() -> Callable[[], Any]:
        used.append(made.pop())
        device_id = used[-1]

        def act() -> None:
            world.api.delete(device_path(device_id))
            server.drain()

        return act

    assert sweep(case, after=after) > 5
    for device_id in used:
        assert events_of(hook, device_id) == ["device-decommissioned"]
    left = {device["id"] for device in world.api.get(DEVICES, params={"per_page": 500}).json()}
    assert left == set(made)


@pytest.mark.parametrize("after", WHEN)
def test_creating_a_deployment(hooks: Hooks, world, after: bool):
    world.upload("v2")
    device = world.device()
    hook = hooks(scopes=["deployments"])
    names: list[str] = []

    def case() -> Callable[[], Any]:
        names.append(f"rollout {len(names)}")
        body = {"name": names[-1], "artifact_name": "v2", "devices": [device.id]}
        return lambda: world.api.post("/api/management/v1/deployments/deployments", json=body)

    assert sweep(case, after=after) > 4
    listed = world.api.get("/api/management/v1/deployments/deployments", params={"per_page": 500}).json()
    assert sorted(each["name"] for each in listed) == sorted(names)
    for each in listed:
        assert events_of(hook, each["id"]) == ["deployment-created"]


@pytest.mark.parametrize("after", WHEN)
def test_finishing_a_deployment(hooks: Hooks, world, after: bool):
    world.upload("v2")
    device = world.device()
    hook = hooks(scopes=["deployments"])
    made: list[str] = []

    def case() -> Callable[[], Any]:
        made.append(world.deploy("v2", [device.id], name=f"rollout {len(made)}"))
        assert device.poll().json()["id"] == made[-1]
        return lambda: device.report(made[-1], "success")

    assert sweep(case, after=after) > 2
    for deployment in made:
        assert sorted(events_of(hook, deployment)) == [
            "deployment-created",
            "deployment-device-finished",
            "deployment-finished",
        ]


@pytest.mark.parametrize("after", WHEN)
def test_delivering_events(hooks: Hooks, world, tenant, monkeypatch, after: bool):
    hook = hooks()
    for number in count(1):
        with monkeypatch.context() as patch:
            patch.setattr("chalicelib.aws.queues.send", lambda *_: None)
            device = world.device()
        with power_cut(number, answered=after) as cut, suppress(PowerCutError):
            delivering.deliver(tenant.id, hook.id)
        assert events_of(hook, device.id) == NEW_DEVICE
        assert list(outboxes.waiting(outboxes.Outbox(tenant.id, hook.id))) == []
        assert {status["success"] for status in hook.statuses()} == {True}
        if not cut.happened:
            break
    assert number > 6

"""When devices begin: windows, a rate, jitter, and pauses by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from chalicelib.deployments.rules.rollout import delay
from chalicelib.fleet import control
from tests.deployments.rollouts.test_gates import CANARY, finish, state, steer
from tests.deployments.rollouts.test_stops import divide
from tests.deployments.test_dynamic import deploy as deploy_to_filter
from tests.deployments.test_dynamic import save_filter
from tests.deployments.test_races import codes, concurrently
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.support.probe import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulator.device import Device
    from tests.support.time import Clock

NIGHT: dict[str, Any] = {"windows": [{"start_time": "02:00", "duration": "PT2H"}]}


def at(moment: Clock, hour: int, minute: int = 0) -> datetime:
    """Set the clock to this time (UTC) of a later day in winter."""
    moment.time = datetime(2031, 1, 15, hour, minute, tzinfo=UTC)
    return moment.time


@pytest.mark.parametrize(("zone", "opens"), [(None, 2), ("Europe/Oslo", 1), ("America/New_York", 7)])
def test_devices_begin_in_windows_only(
    world: World, fleet: list[Device], moment: Clock, zone: str | None, opens: int
) -> None:
    at(moment, opens - 1, 59)
    deployment = world.deploy("two", rollout=NIGHT | ({"time_zone": zone} if zone else {}))
    assert state(world, deployment)["settings"]["time_zone"] == zone or "UTC"
    serves_nothing(fleet[0].poll())
    moment.move(minutes=1)
    serves(fleet[0].poll(), deployment)
    moment.move(hours=2)
    # It has begun, so it goes on; another one must wait.
    serves(fleet[0].poll(), deployment)
    serves_nothing(fleet[1].poll())


def test_the_time_zone_of_the_tenant(world: World, fleet: list[Device], moment: Clock) -> None:
    place = "/api/management/v2/tenantadm/settings"
    assert world.api.put(place, json={"time_zone": "Mars/Olympus"}).status_code == 400
    assert world.api.put(place, json={"time_zone": "Asia/Tokyo"}).status_code == 204
    deployment = world.deploy("two", rollout=NIGHT)
    assert state(world, deployment)["settings"]["time_zone"] == "Asia/Tokyo"
    at(moment, 17)  # 02:00 in Tokyo
    serves(fleet[0].poll(), deployment)


def test_a_device_has_its_own_time_zone(world: World, fleet: list[Device], moment: Clock, warm: None) -> None:
    oslo, tokyo, nowhere, unknown = fleet[:4]
    for device, zone in ((oslo, "Europe/Oslo"), (tokyo, "Asia/Tokyo"), (nowhere, "Nowhere/At_all")):
        device.inventory({"geo-timezone": zone, "device_type": "qemux86-64"})
    deployment = world.deploy("two", rollout=NIGHT | {"device_time_zone": "geo-timezone", "time_zone": "UTC"})
    at(moment, 1)
    serves(oslo.poll(), deployment)
    for device in (tokyo, nowhere, unknown):
        serves_nothing(device.poll())
    # The head knows the zone now, so a poll outside of the window is one read, in any process.
    control.get(world_tenant(world))
    with counted() as cost:
        serves_nothing(tokyo.poll())
    assert cost.calls == ["GetItem"]
    tokyo.inventory({"geo-timezone": "Europe/Oslo", "device_type": "qemux86-64"})
    serves(tokyo.poll(), deployment)
    at(moment, 2)
    for device in (nowhere, unknown):
        serves(device.poll(), deployment)


def world_tenant(world: World) -> Any:
    return world.api.get("/api/management/v2/tenantadm/tenants/me").json()["id"]


def test_a_poll_outside_of_a_window_is_one_read(world: World, fleet: list[Device], moment: Clock, warm: None) -> None:
    at(moment, 12)
    world.deploy("two", rollout=NIGHT)
    serves_nothing(fleet[0].poll())
    with counted() as cost:
        serves_nothing(fleet[0].poll())
    assert cost.calls == ["GetItem"]
    assert (cost.read_units, cost.write_units) == (1, 0)


def test_a_device_is_told_when_to_come_back(world: World, fleet: list[Device], moment: Clock) -> None:
    at(moment, 1, 30)
    deployment = world.deploy("two", rollout=NIGHT | {"retry_after": True})
    answer = fleet[0].poll()
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1800"
    assert answer.content == b""
    moment.move(minutes=30)
    serves(fleet[0].poll(), deployment)
    serves(fleet[1].poll(), deployment)


def test_a_window_holds_newer_deployments(world: World, fleet: list[Device], moment: Clock) -> None:
    at(moment, 12)
    world.upload("three")
    world.deploy("two", rollout=NIGHT)
    world.deploy("three")
    serves_nothing(fleet[0].poll())


@pytest.mark.parametrize("divided", [False, True], ids=["one-counter", "divided"])
def test_a_rate_is_exact(
    world: World, fleet: list[Device], moment: Clock, divided: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if divided:
        divide(monkeypatch)
    deployment = world.deploy("two", rollout={"maximum_per_minute": 3})
    moment.time = moment.time.replace(second=0) + timedelta(minutes=1)
    # Devices that have begun are served again.
    for begun in (3, 6, 9, 10):
        assert codes(concurrently([device.poll for device in fleet]))[200] == begun
        assert world.show(deployment)["device_count"] == begun
        moment.move(minutes=1)


def test_a_device_that_begins_again_counts_for_the_rate(world: World, fleet: list[Device], moment: Clock) -> None:
    first, second = fleet[:2]
    deployment = world.deploy("two", rollout={"maximum_per_minute": 1})
    finish(first, deployment)
    place = f"{DEPLOYMENTS}/devices/{first.id}/history"
    for _ in range(2):
        assert world.api.delete(place).status_code == 204
        serves_nothing(first.poll())
        moment.move(minutes=1)
        serves(first.poll(), deployment)
        serves_nothing(second.poll())
        first.report(deployment, "success")


def test_a_device_that_would_begin_again_waits_for_a_paused_deployment(
    world: World, fleet: list[Device], tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = world.deploy("two")
    finish(fleet[0], deployment)
    assert world.api.delete(f"{DEPLOYMENTS}/devices/{fleet[0].id}/history").status_code == 204
    stale = control.get(tenant.id)
    assert steer(world, deployment, "pause").status_code == 204
    with monkeypatch.context() as patch:
        patch.setattr(control, "get", lambda *_, **__: stale)
        serves_nothing(fleet[0].poll())


def test_a_poll_in_a_full_minute_is_one_read(world: World, fleet: list[Device], moment: Clock, warm: None) -> None:
    deployment = world.deploy("two", rollout={"maximum_per_minute": 1})
    serves(fleet[0].poll(), deployment)
    serves_nothing(fleet[1].poll())
    with counted() as cost:
        serves_nothing(fleet[1].poll())
    assert cost.calls == ["GetItem"]
    moment.move(minutes=1)
    serves(fleet[1].poll(), deployment)


def test_jitter_spreads_devices(world: World, fleet: list[Device], moment: Clock) -> None:
    jitter = timedelta(hours=1)
    deployment = world.deploy("two", rollout={"jitter": "PT1H"})
    created = moment.time
    for device in sorted(fleet, key=lambda each: delay(deployment, str(each.id), jitter)):
        begins = created + delay(deployment, str(device.id), jitter)
        moment.time = begins - timedelta(milliseconds=2)
        serves_nothing(device.poll())
        moment.move(milliseconds=4)
        serves(device.poll(), deployment)


@pytest.mark.parametrize("targets", [1, 10], ids=["on-heads", "listed"])
@pytest.mark.parametrize("divided", [False, True], ids=["one-counter", "divided"])
def test_a_deployment_is_paused_and_resumed(
    world: World, fleet: list[Device], targets: int, divided: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if divided:
        divide(monkeypatch)
    deployment = world.deploy("two", [device.id for device in fleet[:targets]])
    assert "rollout" not in world.show(deployment)
    for _ in range(2):
        assert steer(world, deployment, "pause", reason="odd logs").status_code == 204
    shown = state(world, deployment)
    assert (shown["state"], shown["pause"]["reason"]) == ("paused", "odd logs")
    serves_nothing(fleet[0].poll())
    for _ in range(2):
        assert steer(world, deployment, "resume").status_code == 204
    assert state(world, deployment)["state"] == "running"
    for device in fleet[:targets]:
        finish(device, deployment)
    assert world.show(deployment)["status"] == "finished"
    assert steer(world, deployment, "pause").status_code == 409
    assert steer(world, deployment, "resume").status_code == 409


def test_a_process_with_an_old_copy_begins_nothing(
    world: World, fleet: list[Device], tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = world.deploy("two")
    serves(fleet[0].poll(), deployment)
    stale = control.get(tenant.id)
    assert steer(world, deployment, "pause").status_code == 204
    with monkeypatch.context() as patch:
        patch.setattr(control, "get", lambda *_, **__: stale)
        serves_nothing(fleet[1].poll())
    assert world.show(deployment)["device_count"] == 1


def test_pauses_and_polls_at_the_same_time(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two")
    calls: list[Callable[[], httpx2.Response]] = [
        partial(steer, world, deployment, "pause"),
        *(device.poll for device in fleet),
    ]
    answers = concurrently(calls)
    begun = sum(answer.status_code == 200 for answer in answers)
    assert answers[0].status_code == 204
    assert begun == world.show(deployment)["device_count"]
    for device in fleet:
        device.poll()
    assert begun == world.show(deployment)["device_count"]


def test_phases_open_later_by_the_length_of_a_pause(
    world: World, fleet: list[Device], moment: Clock, tick: Callable[..., None]
) -> None:
    planned = [{"batch_size_devices": 2}, {"start_ts": moment.later(hours=1)}]
    deployment = world.deploy("two", phases=planned)
    for device in fleet[:2]:
        serves(device.poll(), deployment)
    tick(minutes=30)
    steer(world, deployment, "pause")
    tick(hours=5)
    steer(world, deployment, "resume")
    serves_nothing(fleet[2].poll())
    assert world.show(deployment)["phases"][1]["start_ts"] == moment.later(minutes=30)
    tick(minutes=30)
    serves(fleet[2].poll(), deployment)


@pytest.mark.parametrize(("when_paused", "status"), [("hold", 204), ("skip", 200)])
def test_newer_deployments_wait_or_not(world: World, fleet: list[Device], when_paused: str, status: int) -> None:
    world.upload("three")
    older = world.deploy("two", rollout={"when_paused": when_paused})
    steer(world, older, "pause")
    world.deploy("three")
    assert fleet[0].poll().status_code == status


def test_nobody_waits_for_a_paused_deployment_that_has_all_its_devices(
    world: World, fleet: list[Device], warm: None
) -> None:
    for device in fleet[:3]:
        device.inventory({"device_type": "qemux86-64", "place": "here"})
    chosen = save_filter(world, "inventory", "place", "here")
    limited = deploy_to_filter(world, chosen, artifact_name="two", max_devices=2)
    for device in fleet[:2]:
        serves(device.poll(), limited)
    assert steer(world, limited, "pause").status_code == 204
    newer = world.deploy("two", name="newer", devices=[device.id for device in fleet])
    serves(fleet[2].poll(), newer)


def test_a_paused_deployment_is_aborted(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two", rollout={"gate": {}}, **CANARY)
    steer(world, deployment, "pause")
    world.abort(deployment)
    shown = world.show(deployment)
    assert (shown["status"], shown["rollout"]["state"]) == ("finished", "ended")
    serves_nothing(fleet[0].poll())


def test_events_and_audit_entries(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two", rollout={"gate": {}}, **CANARY)
    steer(world, deployment, "pause", reason="a look")
    steer(world, deployment, "resume")
    steer(world, deployment, "open_phase", phase=2)
    entries = world.api.get("/api/management/v1/auditlogs/logs", params={"object_id": deployment}).json()
    changes = {each.get("change", "") for each in entries}
    assert {"Paused: a look", "Resumed", "Phase 2 opened by hand"} <= changes

"""Stops: failures pause or abort a deployment, and no device begins after that."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import limits
from chalicelib.deployments.service import stopping
from chalicelib.deployments.service.operators import drafts
from tests.deployments.rollouts.test_gates import finish, state, steer
from tests.deployments.test_races import concurrently
from tests.deployments.world import World, serves, serves_nothing
from tests.support.probe import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulator.device import Device
    from tests.support.time import Clock

AUDIT = "/api/management/v1/auditlogs/logs"


def test_a_number_of_failures_pauses_a_deployment(world: World, fleet: list[Device], moment: Clock) -> None:
    deployment = world.deploy("two", rollout={"stop": {"max_failures": 2}})
    serves(fleet[0].poll(), deployment)
    finish(fleet[1], deployment, "failure")
    finish(fleet[2], deployment)
    assert state(world, deployment)["state"] == "running"
    finish(fleet[3], deployment, "failure")

    shown = world.show(deployment)
    assert shown["status"] == "inprogress"
    stopped = shown["rollout"]
    assert stopped["state"] == "stopped"
    assert stopped["pause"]["reason"] == "2 devices have failed (max_failures: 2)"
    assert (stopped["pause"]["failures"], stopped["pause"]["reports"]) == (2, 3)
    assert sorted(stopped["pause"]["devices"]) == sorted([fleet[1].id, fleet[3].id])
    for device in fleet[4:]:
        serves_nothing(device.poll())
    # Those that have begun go on.
    serves(fleet[0].poll(), deployment)
    assert fleet[0].report(deployment, "success").status_code == 204
    entries = world.api.get(AUDIT, params={"object_id": deployment}).json()
    assert any(
        each["actor"]["type"] == "system" and each["change"].startswith("Paused by the server: 2 devices")
        for each in entries
    )


@pytest.mark.parametrize("per", ["deployment", "phase"])
def test_an_accepted_failure_that_was_corrected_hides_no_other_one(
    world: World, fleet: list[Device], moment: Clock, per: str
) -> None:
    phases = [{"batch_size": 50}, {"start_ts": moment.later(hours=1)}]
    deployment = world.deploy("two", rollout={"stop": {"max_failures": 1, "per": per}}, phases=phases)
    finish(fleet[0], deployment, "failure")
    assert steer(world, deployment, "resume").status_code == 204
    finish(fleet[1], deployment)
    assert fleet[0].report(deployment, "success").status_code == 204
    assert state(world, deployment)["state"] == "running"

    finish(fleet[2], deployment, "failure")

    assert state(world, deployment)["pause"]["reason"].startswith("1 device has failed")


def test_a_share_counts_from_a_minimum_on(world: World, fleet: list[Device]) -> None:
    stop = {"max_failures_percent": 50, "minimum_reports": 4}
    deployment = world.deploy("two", rollout={"stop": stop})
    for device, status in zip(fleet, ("failure", "success", "failure"), strict=False):
        finish(device, deployment, status)
    assert state(world, deployment)["state"] == "running"
    finish(fleet[3], deployment)
    # A success does not look; the next failure or the schedule does.
    finish(fleet[4], deployment, "failure")
    assert state(world, deployment)["pause"]["reason"] == "3 of 5 devices have failed (max_failures_percent: 50)"


def test_an_abort_by_failures_says_why(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two", rollout={"stop": {"max_failures": 1, "action": "abort"}})
    serves(fleet[1].poll(), deployment)
    finish(fleet[0], deployment, "failure")
    shown = world.show(deployment)
    assert shown["status"] == "finished"
    assert shown["rollout"]["state"] == "stopped"
    assert shown["rollout"]["pause"]["failures"] == 1
    assert shown["statistics"]["status"]["aborted"] == 1
    assert fleet[1].report(deployment, "success").status_code == 409
    serves_nothing(fleet[2].poll())


def test_only_the_last_attempt_counts(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two", rollout={"stop": {"max_failures": 1}}, retries=1)
    finish(fleet[0], deployment, "failure")
    assert state(world, deployment)["state"] == "running"
    finish(fleet[0], deployment, "failure")
    assert state(world, deployment)["state"] == "stopped"


def test_a_silent_device_counts(world: World, fleet: list[Device], moment: Clock, tick: Callable[..., None]) -> None:
    settings = "/api/management/v2/tenantadm/settings"
    assert world.api.put(settings, json={"device_timeout": 3600}).status_code == 204
    deployment = world.deploy("two", rollout={"stop": {"max_failures": 1}})
    serves(fleet[0].poll(), deployment)
    tick(hours=2)
    assert state(world, deployment)["state"] == "stopped"


def test_phases_are_judged_on_their_own(world: World, fleet: list[Device], tick: Callable[..., None]) -> None:
    stop = {"max_failures": 2, "per": "phase"}
    gate = {"success_percent": 50}
    planned = [{"batch_size_devices": 3}, {}]
    deployment = world.deploy("two", rollout={"stop": stop, "gate": gate}, phases=planned)
    for device, status in zip(fleet, ("failure", "success", "success"), strict=False):
        finish(device, deployment, status)
    tick(minutes=1)
    finish(fleet[3], deployment, "failure")
    assert state(world, deployment)["state"] == "running"
    finish(fleet[4], deployment, "failure")
    stopped = state(world, deployment)
    assert (stopped["state"], stopped["pause"]["phase"]) == ("stopped", 2)


def test_the_schedule_stops_what_a_dead_process_did_not(
    world: World, fleet: list[Device], tick: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = world.deploy("two", rollout={"stop": {"max_failures": 1}})
    with monkeypatch.context() as patch:
        patch.setattr(stopping, "check", lambda *_: None)
        finish(fleet[0], deployment, "failure")
    assert state(world, deployment)["state"] == "running"
    tick(minutes=15)
    assert state(world, deployment)["state"] == "stopped"
    serves_nothing(fleet[1].poll())


def test_failures_before_a_resumption_do_not_count(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two", rollout={"stop": {"max_failures": 2}})
    finish(fleet[0], deployment, "failure")
    finish(fleet[1], deployment, "failure")
    assert steer(world, deployment, "resume").status_code == 204
    assert steer(world, deployment, "resume").status_code == 204
    finish(fleet[2], deployment, "failure")
    assert state(world, deployment)["state"] == "running"
    finish(fleet[3], deployment, "failure")
    assert state(world, deployment)["pause"]["failures"] == 2


@pytest.mark.parametrize("divided", [False, True], ids=["one-counter", "divided"])
def test_nobody_begins_after_the_stop(
    world: World, fleet: list[Device], divided: bool, monkeypatch: pytest.MonkeyPatch, tick: Callable[..., None]
) -> None:
    if divided:
        divide(monkeypatch)
    fleet += [world.device() for _ in range(90)]
    failing, polling = fleet[:50], fleet[50:]
    deployment = world.deploy("two", rollout={"stop": {"max_failures": 5}})
    for device in failing:
        serves(device.poll(), deployment)
    calls: list[Callable[[], Any]] = []
    for one, other in zip(failing, polling, strict=True):
        calls += [partial(one.report, deployment, "failure"), other.poll]
    answers = concurrently(calls)
    assert {answer.status_code for answer in answers} <= {200, 204}

    tick(minutes=1)  # not each report looks at all parts
    begun = sum(answer.status_code == 200 for answer in answers)
    shown = world.show(deployment)
    assert shown["rollout"]["state"] == "stopped"
    assert shown["rollout"]["pause"]["failures"] >= 5
    assert shown["device_count"] == len(failing) + begun
    for device in polling:
        device.poll()
    assert world.show(deployment)["device_count"] == len(failing) + begun


def divide(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNDIVIDED_DEVICES", "INLINE_TARGETS", "HEAD_DEPLOYMENT_TARGETS"):
        monkeypatch.setattr(limits, name, 0)
    monkeypatch.setattr(limits, "COUNTER_SHARD_DEVICES", 2)
    monkeypatch.setattr(limits, "DEPLOYMENT_PARTS", 4)
    monkeypatch.setattr(drafts, "_is_large_tenant", lambda _tenant: True)


def test_a_failure_writes_no_further_item(world: World, fleet: list[Device], warm: None) -> None:
    units = []
    for rollout in (None, {"stop": {"max_failures": 5}}):
        deployment = world.deploy("two", name=str(rollout), rollout=rollout)
        serves(fleet[0].poll(), deployment)
        with counted() as cost:
            fleet[0].report(deployment, "failure")
        units.append((cost.write_units, len(cost.calls)))
        world.abort(deployment)
    (without, few), (with_stop, more) = units
    assert with_stop == without
    assert more == few + 1

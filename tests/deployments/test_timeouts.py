"""Timeouts of silent devices: off by default, applied by the schedule, without cost for reporting devices."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.deployments.test_races import concurrently
from tests.deployments.test_schedule import tick
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.support.probe import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.simulator.device import Device
    from tests.support.time import Clock

TIMEOUT = 3600
TEXT = "timeout: no report for 3600 seconds"
SETTINGS = "/api/management/v2/tenantadm/settings"


@pytest.fixture
def device(world: World, moment: Clock) -> Device:
    world.upload("two")
    return world.device()


@pytest.fixture
def enabled(world: World) -> None:
    """The tenant's devices time out after an hour."""
    answer = world.api.put(SETTINGS, json={"device_timeout": TIMEOUT})
    assert answer.status_code == 204, answer.text


def test_devices_do_not_time_out_by_default(world: World, device: Device, moment: Clock) -> None:
    deployment = world.deploy("two", [device.id])
    serves(device.poll(), deployment)
    moment.move(days=1000)

    tick(moment)

    assert world.numbers(deployment) == {"pending": 1}


def test_a_silent_device_fails(world: World, device: Device, moment: Clock, enabled: None) -> None:
    deployment = world.deploy("two", [device.id, world.device().id], retries=3)
    serves(device.poll(), deployment)
    device.report(deployment, "installing")
    moment.move(seconds=TIMEOUT - 1)
    tick(moment)
    assert world.numbers(deployment) == {"installing": 1, "pending": 1}

    moment.move(seconds=1)
    tick(moment)
    tick(moment)

    assert world.numbers(deployment) == {"failure": 1, "pending": 1}  # devices that have not begun cannot time out
    row = world.rows(deployment)[device.id]
    assert (row["status"], row["substate"], row["finished"], row["attempts"]) == ("failure", TEXT, moment.later(), 1)
    serves_nothing(device.poll())


def test_the_last_timeout_finishes_the_deployment(world: World, device: Device, moment: Clock, enabled: None) -> None:
    deployment = world.deploy("two", [device.id])
    serves(device.poll(), deployment)
    moment.move(seconds=TIMEOUT)

    tick(moment)

    assert world.show(deployment)["status"] == "finished"
    newer = world.deploy("two", [device.id])
    serves(device.poll(), newer)


def test_every_report_restarts_the_timeout(world: World, device: Device, moment: Clock, enabled: None) -> None:
    deployment = world.deploy("two", [device.id])
    serves(device.poll(), deployment)
    for status in ("downloading", "downloading", "downloading", "installing", "installing"):
        moment.move(seconds=TIMEOUT - 1)
        assert device.report(deployment, status).status_code == 204
        tick(moment)
        assert world.numbers(deployment) == {status: 1}
    device.report(deployment, "success")
    moment.move(seconds=TIMEOUT)
    tick(moment)
    assert world.numbers(deployment) == {"success": 1}


def test_a_late_success_counts_as_success(world: World, device: Device, moment: Clock, enabled: None) -> None:
    deployment = world.deploy("two", [device.id, world.device().id])
    serves(device.poll(), deployment)
    moment.move(seconds=TIMEOUT)
    tick(moment)

    assert device.report(deployment, "success").status_code == 204

    assert world.numbers(deployment) == {"success": 1, "pending": 1}
    assert "substate" not in world.rows(deployment)[device.id]


def test_a_device_that_continues_late_can_time_out_again(
    world: World, device: Device, moment: Clock, enabled: None
) -> None:
    deployment = world.deploy("two", [device.id, world.device().id])
    serves(device.poll(), deployment)
    moment.move(seconds=TIMEOUT)
    tick(moment)

    assert device.report(deployment, "installing").status_code == 204
    assert world.numbers(deployment) == {"installing": 1, "pending": 1}
    serves(device.poll(), deployment)
    moment.move(seconds=TIMEOUT)
    tick(moment)
    assert world.numbers(deployment) == {"failure": 1, "pending": 1}


def test_a_device_that_waits_for_a_retry_times_out_too(
    world: World, device: Device, moment: Clock, enabled: None
) -> None:
    deployment = world.deploy("two", [device.id], retries=1)
    serves(device.poll(), deployment)
    device.report(deployment, "failure")
    assert world.numbers(deployment) == {"pending": 1}
    moment.move(seconds=TIMEOUT)
    tick(moment)
    assert (world.numbers(deployment), world.show(deployment)["status"]) == ({"failure": 1}, "finished")


def test_finished_updates_do_not_time_out(world: World, device: Device, moment: Clock, enabled: None) -> None:
    other = world.device()
    aborted, withdrawn = world.deploy("two", [device.id]), world.deploy("two", [other.id], name="b")
    serves(device.poll(), aborted)
    serves(other.poll(), withdrawn)
    world.abort(aborted)
    assert world.api.delete(f"{DEPLOYMENTS}/devices/{other.id}").status_code == 204
    moment.move(seconds=TIMEOUT)
    tick(moment)

    assert world.numbers(aborted) == world.numbers(withdrawn) == {"aborted": 1}
    with counted() as idle:
        tick(moment)
    assert set(idle.by_operation) == {"Query"}  # none of them is read again


def test_turning_timeouts_off_again(world: World, device: Device, moment: Clock, enabled: None) -> None:
    deployment = world.deploy("two", [device.id])
    serves(device.poll(), deployment)
    assert world.api.put(SETTINGS, json={"device_timeout": 0}).status_code == 204
    moment.move(seconds=TIMEOUT)
    tick(moment)
    assert world.numbers(deployment) == {"pending": 1}


def tick_and(moment: Clock, then: Callable[[], httpx2.Response]) -> httpx2.Response:
    tick(moment)
    return then()


def test_a_report_during_two_runs_of_the_schedule(world: World, device: Device, moment: Clock, enabled: None) -> None:
    for number in range(5):
        deployment = world.deploy("two", [device.id], name=f"number {number}", force_installation=True)
        serves(device.poll(), deployment)
        moment.move(seconds=TIMEOUT)

        report = partial(device.report, deployment, "success")
        concurrently([partial(tick_and, moment, report), partial(tick_and, moment, report), report])

        assert world.numbers(deployment) == {"success": 1}
        assert world.show(deployment)["status"] == "finished"


def test_the_cost_of_timeouts(
    world: World, device: Device, moment: Clock, enabled: None, warm: None, tenant: Tenant
) -> None:
    deployment = world.deploy("two", [device.id, *(f"{number}" for number in range(9))])
    serves_nothing(world.device().poll())
    with counted() as assigned:
        serves(device.poll(), deployment)
    with counted() as reported:
        device.report(deployment, "installing")
    for cost in (assigned, reported):
        assert (sorted(cost.calls), cost.write_units) == (
            ["GetItem", "TransactWriteItems"],
            6,
        )  # the same as without timeouts
    with counted() as repeated:
        device.report(deployment, "installing")
    assert (repeated.by_operation, repeated.write_units) == ({"GetItem": 1, "UpdateItem": 1}, 1)
    with counted() as served:
        serves(device.poll(), deployment)
    assert served.calls == ["GetItem"]

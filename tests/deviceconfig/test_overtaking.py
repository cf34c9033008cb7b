"""Configuration deployments do not wait for a software deployment whose phase has not begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.deployments.conftest import moment
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.deviceconfig.operator import Configured
from tests.support.probe import counted

if TYPE_CHECKING:
    from tests.support.time import Clock

__all__ = ["moment"]


@pytest.fixture
def rollout(world: World, configured: Configured, moment: Clock) -> str:
    """A deployment to this and another device that begins in a week."""
    world.upload("release")
    configured.set({"timezone": "UTC"})
    other = world.device()
    start = moment.later(days=7)
    made = world.deploy("release", [configured.device.id, other.id], name="winter", phases=[{"start_ts": start}])
    serves_nothing(configured.device.poll())
    return made


def finish(configured: Configured, deployment: str, status: str = "success") -> None:
    """The device gets the deployment and finishes it."""
    serves(configured.device.poll(), deployment)
    assert configured.device.report(deployment, "installing").status_code == 204
    serves(configured.device.poll(), deployment)
    assert configured.device.report(deployment, status).status_code == 204


@pytest.mark.parametrize("status", ["success", "failure"])
def test_a_configuration_overtakes_a_deployment_which_is_served_later(
    configured: Configured, rollout: str, moment: Clock, status: str
) -> None:
    world, device = configured.world, configured.device
    wanted = [configured.deploy() for _ in range(3)]
    for each in wanted:
        finish(configured, each, status)
        assert world.show(each)["status"] == "finished"
        assert world.numbers(each) == {status: 1}
    serves_nothing(device.poll())

    moment.move(days=7)

    finish(configured, rollout)
    serves_nothing(device.poll())
    assert world.numbers(rollout) == {"success": 1, "pending": 1}


def test_a_full_phase_does_not_delay_configurations(world: World, configured: Configured, moment: Clock) -> None:
    world.upload("release")
    first, device = world.device(), configured.device
    phases = [{"batch_size_devices": 1}, {"start_ts": moment.later(days=1)}]
    rollout = world.deploy("release", [first.id, device.id], phases=phases)
    serves(first.poll(), rollout)
    wanted = configured.deploy()

    finish(configured, wanted)  # in the poll in which this process notices that the phase is full
    finish(configured, configured.deploy())
    serves_nothing(device.poll())

    moment.move(days=1)
    serves(device.poll(), rollout)


def test_software_deployments_do_not_overtake(configured: Configured, rollout: str, moment: Clock) -> None:
    world, device = configured.world, configured.device
    hotfix = world.deploy("release", [device.id], name="hotfix")
    wanted = configured.deploy()
    finish(configured, wanted)
    serves_nothing(device.poll())

    world.abort(rollout)

    finish(configured, hotfix)


def test_a_running_configuration_finishes_before_an_opened_phase_is_served(
    configured: Configured, rollout: str, moment: Clock
) -> None:
    wanted, later = configured.deploy(retries=1), configured.deploy()
    finish(configured, wanted, "failure")
    moment.move(days=7)
    finish(configured, wanted, "failure")
    assert configured.world.numbers(wanted) == {"failure": 1}

    finish(configured, rollout)  # older than the waiting configuration
    finish(configured, later)
    serves_nothing(configured.device.poll())


@pytest.mark.parametrize("begun", [False, True])
def test_after_aborting_a_configuration_the_deployment_is_still_served(
    configured: Configured, rollout: str, moment: Clock, begun: bool
) -> None:
    world, device = configured.world, configured.device
    wanted = configured.deploy()
    if begun:
        serves(device.poll(), wanted)
    world.abort(wanted)
    if begun:
        assert device.report(wanted, "success").status_code == 409
    serves_nothing(device.poll())

    moment.move(days=7)
    serves(device.poll(), rollout)


def test_a_withdrawn_device_gets_neither(configured: Configured, rollout: str, moment: Clock) -> None:
    world, device = configured.world, configured.device
    done, waiting = configured.deploy(), configured.deploy()
    finish(configured, done)
    assert world.api.delete(f"{DEPLOYMENTS}/devices/{device.id}").status_code == 204
    assert world.numbers(waiting) == {"aborted": 1}
    assert world.numbers(rollout) == {"aborted": 1, "pending": 1}
    moment.move(days=7)
    serves_nothing(device.poll())


def test_deleting_the_history_does_not_repeat_a_configuration(
    configured: Configured, rollout: str, moment: Clock
) -> None:
    device = configured.device
    finish(configured, configured.deploy())
    assert configured.world.api.delete(f"{DEPLOYMENTS}/devices/{device.id}/history").status_code == 204
    serves_nothing(device.poll())
    moment.move(days=7)
    finish(configured, rollout)
    serves_nothing(device.poll())


def test_the_cost_of_overtaking(configured: Configured, rollout: str, moment: Clock, warm: None) -> None:
    world, device = configured.world, configured.device
    hotfix = world.deploy("release", [device.id], name="hotfix")
    serves_nothing(device.poll())
    with counted() as idle:
        serves_nothing(device.poll())
    assert idle.by_operation == {"GetItem": 1}
    assert (idle.read_units, idle.write_units) == (1, 0)

    wanted = configured.deploy()
    with counted() as overtaking:
        serves(device.poll(), wanted)
    with counted() as done:
        device.report(wanted, "success")
    with counted() as after:
        serves_nothing(device.poll())
    assert after.by_operation == {"GetItem": 1}

    world.abort(rollout)
    finish(configured, hotfix)
    alone = configured.deploy()
    with counted() as elsewhere:
        serves(device.poll(), alone)
    with counted() as done_elsewhere:
        device.report(alone, "success")
    for ours, theirs in ((overtaking, elsewhere), (done, done_elsewhere)):
        assert ours.by_operation == theirs.by_operation
        assert (ours.read_units, ours.write_units) == (theirs.read_units, theirs.write_units)

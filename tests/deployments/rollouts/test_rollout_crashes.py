"""A process may crash at any call while it pauses, resumes, stops or advances a rollout: the next one completes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.deployments import service
from chalicelib.deployments.service import managing
from chalicelib.deployments.shapes.devices import StatusReport
from chalicelib.deployments.shapes.rollout import RolloutAction
from chalicelib.fleet import control, heads
from tests.deployments.rollouts.test_gates import CANARY, finish, state
from tests.deployments.rollouts.test_stops import divide
from tests.deployments.world import World, serves, serves_nothing
from tests.support.crashes import each_crash

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.tenantadm.service import Tenant
    from tests.simulator.device import Device


@pytest.fixture(params=[False, True], ids=["one-counter", "divided"])
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deployments are divided into parts, or not."""
    if request.param:
        divide(monkeypatch)


def test_pausing_and_resuming(
    world: World, fleet: list[Device], tenant: Tenant, tick: Callable[..., None], made: None
) -> None:
    deployment = world.deploy("two")
    serves(fleet[0].poll(), deployment)

    def steer(action: Any) -> None:
        managing.steer(tenant.id, deployment, RolloutAction(action))

    for _ in each_crash(lambda: steer("pause")):
        control.forget(tenant.id)  # a crashed process remembers nothing
        steer("pause")
        tick(minutes=1)
        for device in fleet[1:4]:
            serves_nothing(device.poll())
        assert state(world, deployment)["state"] == "paused"
        steer("resume")
        tick(minutes=1)
    steer("pause")
    for number, _ in enumerate(each_crash(lambda: steer("resume"))):
        control.forget(tenant.id)
        steer("resume")
        tick(minutes=1)
        assert state(world, deployment)["state"] == "running"
        if number < len(fleet) - 1:
            serves(fleet[number + 1].poll(), deployment)
        steer("pause")
        tick(minutes=1)


@pytest.mark.parametrize("action", ["pause", "abort"])
def test_stopping(
    world: World, fleet: list[Device], tenant: Tenant, tick: Callable[..., None], made: None, action: str
) -> None:
    def begin() -> str:
        stop = {"max_failures": 1, "action": action}
        deployment = world.deploy("two", rollout={"stop": stop}, force_installation=True)
        serves(fleet[0].poll(), deployment)
        return deployment

    current = [begin()]

    def report() -> None:
        head = heads.find(tenant.id, fleet[0].id)
        assert head is not None
        service.report(tenant.id, head, current[0], StatusReport("failure"))

    for _ in each_crash(report):
        control.forget(tenant.id)
        # The device repeats its report; the schedule does the rest.
        assert fleet[0].report(current[0], "failure").status_code in {204, 409}
        tick(minutes=15)
        tick(minutes=1)
        shown = world.show(current[0])
        assert shown["rollout"]["state"] == "stopped"
        assert shown["rollout"]["pause"]["failures"] == 1
        assert shown["statistics"]["status"]["failure"] == 1
        serves_nothing(fleet[1].poll())
        if action == "pause":
            world.abort(current[0])
        current[0] = begin()


def test_opening_phases(
    world: World, fleet: list[Device], tenant: Tenant, tick: Callable[..., None], made: None
) -> None:
    def begin() -> str:
        deployment = world.deploy("two", rollout={"gate": {}}, force_installation=True, **CANARY)
        for device in fleet[:2]:
            finish(device, deployment)
        return deployment

    deployment = begin()
    for _ in each_crash(lambda: tick(minutes=1)):
        control.forget(tenant.id)
        tick(minutes=6)  # what failed is tried again after five minutes
        assert state(world, deployment)["opened"] == 2
        for device in fleet[2:5]:
            serves(device.poll(), deployment)
        serves_nothing(fleet[5].poll())
        world.abort(deployment)
        for device in fleet[2:5]:
            device.poll()  # it notices the abort
        deployment = begin()

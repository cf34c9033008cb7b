"""Simultaneous decisions about deployments, and crashes."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import pytest

from chalicelib.deployments.rules.deployment import Person
from chalicelib.deployments.service import managing
from chalicelib.deployments.shapes.approval import ApprovalDecision
from chalicelib.fleet import control
from tests.deployments.approvals.asking import ME, decide, entries, state
from tests.deployments.test_races import concurrently
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.support.crashes import each_crash

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn
    from tests.simulator.device import Device
    from tests.support.time import Clock


class TestRaces:
    """Simultaneous decisions, and crashes."""

    @pytest.mark.parametrize("other", ["reject", "abort"])
    def test_one_decision_takes_effect(
        self, world: World, fleet: list[Device], second: httpx2.Client, sign_in: SignIn, tenant: Tenant, other: str
    ) -> None:
        third = sign_in(tenant)
        for number in range(5):
            deployment = world.deploy("two", name=f"rollout {number}")
            calls: list[Callable[[], httpx2.Response]] = [partial(decide, second, deployment)]
            if other == "reject":
                calls.append(partial(decide, third, deployment, approve=False))
            else:
                place = f"{DEPLOYMENTS}/{deployment}/status"
                calls.append(partial(world.api.put, place, json={"status": "aborted"}))
            approved, ended = concurrently(calls)

            shown, found = state(world, deployment), Counter(action for action, _ in entries(world, deployment))
            if other == "reject":
                assert {approved.status_code, ended.status_code} == {204, 409}
                assert shown == ("approved" if approved.is_success else "rejected")
                assert found.total() == 2
            else:
                assert ended.status_code == 204
                assert shown == ("approved" if approved.is_success else "ended")
                assert world.show(deployment)["status"] == "finished"
            if world.show(deployment)["status"] == "finished":
                serves_nothing(fleet[0].poll())
            else:
                world.abort(deployment)

    @pytest.mark.parametrize("approve", [True, False])
    def test_a_crash_at_each_call(
        self, world: World, fleet: list[Device], second: httpx2.Client, tenant: Tenant, approve: bool
    ) -> None:
        him = second.get(ME).json()
        by, wanted = Person(him["id"], him["email"]), ApprovalDecision(approve)
        current = [world.deploy("two")]
        for _ in each_crash(lambda: managing.decide(tenant.id, current[0], wanted, by)):
            control.forget(tenant.id)  # a crashed process remembers nothing
            assert decide(second, current[0], approve=approve).status_code == 204
            assert len(entries(world, current[0])) == 2
            if approve:
                serves(fleet[0].poll(), current[0])
                world.abort(current[0])
            serves_nothing(fleet[1].poll())
            current[0] = world.deploy("two")

    def test_a_crash_of_the_schedule(self, world: World, fleet: list[Device], moment: Clock) -> None:
        current = [world.deploy("two")]
        moment.move(hours=72)
        for _ in each_crash(lambda: managing.tick(moment.time)):
            managing.tick(moment.time)
            assert (state(world, current[0]), len(entries(world, current[0]))) == ("expired", 2)
            current[0] = world.deploy("two")
            moment.move(hours=72)

"""Which deployments need approval by a second person (``docs/rollouts.md#a-second-person``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chalicelib import limits
from chalicelib.fleet import schema
from tests.deployments.approvals.asking import SETTINGS, demand, grouped, state
from tests.deployments.test_dynamic import deploy as deploy_to_filter
from tests.deployments.test_dynamic import save_filter
from tests.deployments.world import DEPLOYMENTS, World, serves
from tests.roles.test_roles import ROLES, role, scoped
from tests.support.probe import counted

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn
    from tests.simulator.device import Device


class TestDemand:
    """Which deployments need approval."""

    def test_none_unless_the_tenant_has_asked_for_it(self, world: World) -> None:
        world.upload("two")
        device = world.device()
        deployment = world.deploy("two")

        assert state(world, deployment) is None
        serves(device.poll(), deployment)

    def test_by_the_number_of_devices(self, world: World, fleet: list[Device]) -> None:
        assert state(world, world.deploy("two", [fleet[0].id])) is None
        assert state(world, world.deploy("two", [fleet[0].id, fleet[1].id])) == "waiting"

    def test_a_dynamic_one_may_have_as_many_devices_as_its_limit_says(self, world: World, fleet: list[Device]) -> None:
        chosen = save_filter(world, "tags", "place", "here")

        assert state(world, deploy_to_filter(world, chosen, max_devices=1)) is None
        assert state(world, deploy_to_filter(world, chosen, name="two", max_devices=2)) == "waiting"
        assert state(world, deploy_to_filter(world, chosen, name="any")) == "waiting"

    def test_by_group(self, world: World, fleet: list[Device], monkeypatch: pytest.MonkeyPatch) -> None:
        grouped(world, "production", fleet[0])
        grouped(world, "lab", fleet[1])
        demand(world, approval_groups=["production"])
        chosen = save_filter(world, "tags", "place", "here")

        assert state(world, world.deploy("two", group="production")) == "waiting"
        assert state(world, world.deploy("two", group="lab")) is None
        assert state(world, world.deploy("two", [fleet[1].id, fleet[2].id])) is None
        assert state(world, world.deploy("two", [fleet[1].id, fleet[0].id])) == "waiting"
        assert state(world, world.deploy("two")) == "waiting"
        assert state(world, deploy_to_filter(world, chosen)) == "waiting"
        monkeypatch.setattr(limits, "APPROVAL_LOOKUPS", 1)
        assert state(world, world.deploy("two", [fleet[2].id, fleet[1].id], name="not looked up")) == "waiting"

    def test_a_retry_counts_where_its_devices_are_now(self, world: World, fleet: list[Device]) -> None:
        demand(world, approval_groups=["production"])
        grouped(world, "lab", *fleet[:2])
        deployment = world.deploy("two", group="lab")
        for device in fleet[:2]:
            serves(device.poll(), deployment)
            device.report(deployment, "failure")

        def retry() -> str:
            answer = world.api.post(f"{DEPLOYMENTS}/{deployment}/retry")
            assert answer.status_code == 201, answer.text
            return answer.headers["Location"].rsplit("/", 1)[-1]

        first = retry()
        assert state(world, first) is None
        world.abort(first)
        grouped(world, "production", fleet[0])
        assert state(world, retry()) == "waiting"

    def test_not_while_old_code_may_run(self, world: World, fleet: list[Device], monkeypatch) -> None:
        monkeypatch.setattr(schema, "is_at_least", lambda version: version < 5)

        body = {"name": "a", "artifact_name": "two", "all_devices": True}
        answer = world.api.post(DEPLOYMENTS, json=body)

        assert (answer.status_code, "manage migrate" in answer.text) == (409, True)
        assert world.api.get(DEPLOYMENTS).json() == []
        answer = world.api.put(SETTINGS, json={"approval_devices": 1})
        assert (answer.status_code, "manage migrate" in answer.text) == (409, True)
        demand(world)
        world.deploy("two")

    def test_settings_are_checked(self, world: World) -> None:
        for wrong in (
            {"approval_devices": -1},
            {"approval_hours": 0},
            {"approval_hours": limits.APPROVAL_HOURS_MAX + 1},
            {"approval_groups": [""]},
            {"approval_groups": ["a"] * (limits.APPROVAL_GROUPS + 1)},
            {"approval_groups": "production"},
        ):
            assert world.api.put(SETTINGS, json=wrong).status_code == 400, wrong
        shown = world.api.get(SETTINGS).json()
        assert (shown["approval_devices"], shown["approval_groups"], shown["approval_hours"]) == (0, [], 72)

    def test_only_an_administrator_may_demand_less(self, world: World, tenant: Tenant, sign_in: SignIn) -> None:
        demand(world, approval_devices=10, approval_groups=["production"])
        own = {"action": "http", "object": {"type": "any", "value": "/api/management/v2/tenantadm/.*"}}
        body = role("settings", scoped("Basic"), permissions=[own])
        assert world.api.post(ROLES, json=body).status_code == 201
        user = sign_in(tenant, "settings")

        for less in ({"approval_groups": ["production"]}, {"approval_devices": 11, "approval_groups": ["production"]}):
            assert user.put(SETTINGS, json=less).status_code == 403
        assert user.put(SETTINGS, json={"approval_devices": 10}).status_code == 403
        more = {"approval_devices": 9, "approval_groups": ["production", "lab"]}
        assert user.put(SETTINGS, json=more).status_code == 204


def test_without_the_setting_nothing_costs_more(world: World, warm: None) -> None:
    """Creating a deployment makes the calls that it made before there were approvals."""
    world.upload("two")
    devices = [world.device(), world.device()]
    world.deploy("two", name="first")
    with counted() as cost:
        world.deploy("two")
    assert cost.by_operation["TransactWriteItems"] == 1
    reads = cost.by_operation["BatchGetItem"]
    demand(world, approval_groups=["production"])
    with counted() as more:
        world.deploy("two", name="another")
    assert more.by_operation["BatchGetItem"] == reads + 1  # the groups of the devices
    serves(devices[0].poll(), world.api.get(DEPLOYMENTS).json()[-1]["id"])

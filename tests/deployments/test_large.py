"""The cost of large deployments in DynamoDB, in counted calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chalicelib import limits
from chalicelib.deployments.service import plans
from chalicelib.deployments.tables.items import NEVER, counter_ref
from chalicelib.fleet import control
from chalicelib.fleet.parts import part_of
from tests.deployments.test_preparing import fleet  # noqa: F401  # a fixture
from tests.deployments.world import serves, serves_nothing
from tests.support.probe import counted

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer
    from tests.deployments.world import World
    from tests.simulator.device import Device
    from tests.support.time import Clock


@pytest.fixture
def device(world: World, fleet: list[Device], warm: None) -> Device:  # noqa: F811  # the fixture
    """A device whose poll found nothing, so that this process has cached what devices share."""
    serves_nothing(fleet[0].poll())
    return fleet[0]


def plan_of(tenant: Tenant, deployment: str) -> Plan:
    plan = plans.get(tenant.id, deployment)
    assert plan is not None
    assert plan.parts == limits.DEPLOYMENT_PARTS
    return plan


def others_have_begun(tenant: Tenant, deployment: str, device: Device) -> None:
    """Create the counter of the device's part, as the first device of the part does, with more devices."""
    plan = plan_of(tenant, deployment)
    item = counter_ref(tenant.id, plan, part_of(device.id, plan.parts))
    item.last, item.phases = NEVER, [0] * len(plan.phases) or None
    item.begun = -10  # the part has borrowed capacity, because its own share of a tiny phase may be 0
    item.save()


def test_the_last_device_of_a_part_that_has_lent_its_capacity(
    world: World, device: Device, server: LocalServer, tenant: Tenant, moment: Clock
) -> None:
    """It finishes at once, because no artifact is for it, so it borrows capacity and completes its part."""
    deployment = world.deploy("two", phases=[{"batch_size": 75}, {"start_ts": moment.later(hours=1)}])
    server.drain()
    plan = plan_of(tenant, deployment)
    item = counter_ref(tenant.id, plan, part_of(device.id, plan.parts))
    item.last, item.phases, item.begun = 0, [0, 0], 10
    item.save()
    device.device_type = "another"

    serves_nothing(device.poll())

    assert world.rows(deployment)[device.id]["status"] == "noartifact"
    item.refresh(consistent_read=True)
    assert (item.complete, item.done) == (True, 1)


@pytest.mark.parametrize("has_phases", [False, True])
def test_an_update_costs_as_much_as_in_a_small_deployment(
    world: World, device: Device, server: LocalServer, tenant: Tenant, moment: Clock, has_phases: bool
) -> None:
    phases = [{"batch_size": 75}, {"start_ts": moment.later(hours=1)}]
    deployment = world.deploy("two", phases=phases if has_phases else None)
    server.drain()
    others_have_begun(tenant, deployment, device)
    control.get(tenant.id)

    with counted() as begun:
        serves(device.poll(), deployment)
    assert sorted(begun.calls) == ["GetItem", "TransactWriteItems"]
    assert begun.write_units == 6  # row, head, counter; no capacity item

    with counted() as again:
        serves(device.poll(), deployment)
    assert (again.calls, again.read_units, again.write_units) == (["GetItem"], 1, 0)

    with counted() as report:
        device.report(deployment, "success")
    assert sorted(report.calls) == ["GetItem", "TransactWriteItems"]
    assert report.write_units == 6


def test_the_first_device_of_a_part_takes_one_transaction_more(
    world: World, device: Device, server: LocalServer
) -> None:
    deployment = world.deploy("two")
    server.drain()

    with counted() as cost:
        serves(device.poll(), deployment)
    assert cost.by_operation["TransactWriteItems"] == 2


def test_other_devices_polls_are_one_read(world: World, device: Device, server: LocalServer) -> None:
    world.deploy("two")
    server.drain()
    stranger = world.device()
    serves_nothing(stranger.poll())

    with counted() as cost:
        serves_nothing(stranger.poll())
    assert (cost.calls, cost.read_units, cost.write_units) == (["GetItem"], 1, 0)


def test_an_abort_changes_each_part_once(world: World, device: Device, server: LocalServer) -> None:
    deployment = world.deploy("two")
    server.drain()
    serves(device.poll(), deployment)

    with counted() as cost:
        world.abort(deployment)
    assert cost.by_operation["TransactWriteItems"] == 1
    assert cost.by_operation["UpdateItem"] == limits.DEPLOYMENT_PARTS + 1  # and the deployment, which is then settled
    assert device.report(deployment, "success").status_code == 409


def test_statistics_read_every_counter_until_the_deployment_has_ended(
    world: World, device: Device, server: LocalServer
) -> None:
    deployment = world.deploy("two")
    server.drain()
    world.numbers(deployment)  # the first call of a tenant also reads the user
    with counted() as unfinished:
        world.numbers(deployment)
    assert unfinished.by_operation == {"GetItem": 1, "BatchGetItem": 4}  # the user; the counters, a hundred at a time

    world.abort(deployment)
    world.numbers(deployment)
    with counted() as ended:
        world.numbers(deployment)
    assert ended.by_operation == {"GetItem": 1, "BatchGetItem": 1}
    assert ended.read_units == 3

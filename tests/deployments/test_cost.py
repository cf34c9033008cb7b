"""The cost of deployments in DynamoDB, in counted calls: the same for ten devices and for ten thousand."""

from __future__ import annotations

import uuid

import pytest

from chalicelib.deployments.service import plans
from chalicelib.fleet import membership
from chalicelib.fleet.tables import RosterItem
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.support.probe import Cost, counted

SIZES = [10, 10_000]


@pytest.fixture(params=SIZES, ids=[f"{size}-devices" for size in SIZES])
def fleet(request, world: World, tenant) -> World:
    """A tenant with two real devices among many others.

    The others are rows of the roster only; creating a deployment reads nothing else of a device.
    """
    world.device()
    world.device()
    with RosterItem.batch_write() as batch:
        for _ in range(request.param - 2):
            batch.save(membership._roster_item(tenant.id, str(uuid.uuid4())))
    world.upload("release")
    return world


def test_an_idle_poll_is_one_read(fleet: World, warm) -> None:
    device = fleet.devices[0]
    serves_nothing(device.poll())
    with counted() as cost:
        serves_nothing(device.poll())
    assert cost.calls == ["GetItem"]
    assert (cost.read_units, cost.write_units) == (1, 0)


def test_a_poll_is_one_read_while_other_devices_have_deployments(fleet: World, warm) -> None:
    mine, other = fleet.devices
    # Twelve targets are too many to be stored on device heads, so every poll of the tenant sees the deployment.
    for number in range(3):
        strangers = [str(uuid.uuid4()) for _ in range(11)]
        fleet.deploy("release", [other.id, *strangers], name=f"others {number}")
    serves_nothing(mine.poll())
    with counted() as cost:
        serves_nothing(mine.poll())
    assert cost.calls == ["GetItem"]
    assert (cost.read_units, cost.write_units) == (1, 0)


def test_a_whole_update_costs_the_minimum(fleet: World, warm) -> None:
    device, other = fleet.devices
    with counted() as create:
        deployment = fleet.deploy("release")
    assert create.by_operation["TransactWriteItems"] == 1
    # A fixed number, and a counter item per 2,000 devices up to 16; the targets are one object in the bucket.
    assert create.write_units <= 2 * (8 + 16)

    serves(other.poll(), deployment)
    with counted() as first:
        serves(device.poll(), deployment)
    assert sorted(first.calls) == ["GetItem", "TransactWriteItems"]
    assert first.read_units <= 2
    assert first.write_units == 6  # row, head, counter

    with counted() as again:
        serves(device.poll(), deployment)
    assert again.calls == ["GetItem"]
    assert (again.read_units, again.write_units) == (1, 0)

    with counted() as report:
        assert device.report(deployment, "downloading").status_code == 204
    assert sorted(report.calls) == ["GetItem", "TransactWriteItems"]
    assert (report.read_units, report.write_units) == (1, 6)

    with counted() as repeated:
        assert device.report(deployment, "downloading").status_code == 204
    assert repeated.calls == ["GetItem"]

    with counted() as done:
        assert device.report(deployment, "success").status_code == 204
    assert sorted(done.calls) == ["GetItem", "TransactWriteItems"]
    assert (done.read_units, done.write_units) == (1, 6)

    with counted() as abort:
        fleet.abort(deployment)
    assert abort.by_operation["TransactWriteItems"] == 1
    assert abort.write_units <= 2 * (6 + 16)


def test_an_update_for_one_device_does_not_affect_the_cost_of_other_polls(fleet: World, warm) -> None:
    device, other = fleet.devices
    deployment = fleet.deploy("release", [device.id])
    with counted() as cost:
        serves_nothing(other.poll())
    assert cost.calls == ["GetItem"]

    with counted() as first:
        serves(device.poll(), deployment)
    assert first.round_trips <= 3
    assert first.read_units <= 2
    with counted() as again:
        serves(device.poll(), deployment)
    assert again.round_trips <= 2
    assert again.read_units <= 1.5
    assert again.write_units == 0


def test_a_hundred_other_deployments_do_not_affect_the_cost_of_a_poll(fleet: World, warm) -> None:
    mine, other = fleet.devices
    for number in range(50):
        strangers = [str(uuid.uuid4()) for _ in range(11)]
        fleet.abort(fleet.deploy("release", [other.id, *strangers], name=f"over {number}"))
        fleet.deploy("release", [other.id, *strangers], name=f"open {number}")
    serves_nothing(mine.poll())
    with counted() as cost:
        serves_nothing(mine.poll())
    assert cost.calls == ["GetItem"]
    assert (cost.read_units, cost.write_units) == (1, 0)


def test_a_new_process_reads_open_deployments_in_batches_of_100(fleet: World, warm) -> None:
    mine, other = fleet.devices
    for number in range(60):
        strangers = [str(uuid.uuid4()) for _ in range(11)]
        fleet.deploy("release", [other.id, *strangers], name=f"open {number}")
    plans._plans.clear()
    with counted() as cost:
        serves_nothing(mine.poll())
    assert cost.by_operation == {"GetItem": 2, "BatchGetItem": 2}, "head, control; deployments, targets"


def test_the_last_report_and_a_retry_are_one_transaction_each(fleet: World, warm) -> None:
    device, _ = fleet.devices
    strangers = [str(uuid.uuid4()) for _ in range(9)]
    deployment = fleet.deploy("release", [device.id, *strangers], retries=1)
    serves(device.poll(), deployment)
    with counted() as failed:
        assert device.report(deployment, "failure").status_code == 204
    assert sorted(failed.calls) == ["GetItem", "TransactWriteItems"]
    assert (failed.read_units, failed.write_units) == (1, 6)
    with counted() as again:
        serves(device.poll(), deployment)
    assert sorted(again.calls) == ["GetItem", "TransactWriteItems"]
    assert (again.read_units, again.write_units) == (1, 2)  # the device head only

    alone = fleet.deploy("release", [device.id])
    device.report(deployment, "failure")
    serves(device.poll(), alone)
    with counted() as last:
        assert device.report(alone, "success").status_code == 204
    # The first transaction fails because this is the last report; the second finishes the deployment.
    assert sorted(last.calls) == ["GetItem", "TransactWriteItems", "TransactWriteItems"]
    assert last.read_units == 1


def test_the_cost_for_operators_does_not_grow_with_the_fleet(fleet: World, warm) -> None:
    device, _ = fleet.devices
    deployment = fleet.deploy("release")
    serves(device.poll(), deployment)
    for number in range(20):
        fleet.deploy("release", [device.id], name=f"small {number}")

    def cost(path: str) -> Cost:
        fleet.api.get(DEPLOYMENTS + path)
        with counted() as spent:
            assert fleet.api.get(DEPLOYMENTS + path).status_code == 200
        return spent

    # Each includes the read of the user's session.
    page = cost("")
    assert page.by_operation == {"Query": 1, "BatchGetItem": 2}
    assert page.read_units <= 15  # half a unit per deployment for its counters
    for path in (f"/{deployment}", f"/{deployment}/statistics"):
        # A counter item per 2,000 devices.
        assert cost(path).by_operation == {"GetItem": 1, "BatchGetItem": 2}
    assert cost(f"/{deployment}/devices/list").round_trips <= 5
    assert cost(f"/devices/{device.id}").round_trips <= 6


@pytest.mark.slow
def test_a_deployment_to_tens_of_thousands_of_devices_is_one_request(world: World, tenant) -> None:
    """Such a deployment has more devices than 2,000 per counter item, since there are at most 16."""
    with RosterItem.batch_write() as batch:
        for _ in range(40_000):
            batch.save(membership._roster_item(tenant.id, str(uuid.uuid4())))
    world.upload("release")
    with counted() as cost:
        deployment = world.deploy("release")
    assert world.show(deployment)["max_devices"] == 40_000
    assert cost.by_operation["TransactWriteItems"] == 1
    assert cost.write_units <= 2 * (8 + 16)

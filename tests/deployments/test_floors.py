"""What deployments cost in DynamoDB, counted: the same for ten devices and for ten thousand."""

from __future__ import annotations

import uuid

import pytest

from tests.deployments.world import World, serves, serves_nothing
from tests.support.probe import counted

SIZES = [10, 10_000]


@pytest.fixture(params=SIZES, ids=[f"{size}-devices" for size in SIZES])
def fleet(request, world: World, tenant) -> World:
    """A tenant with two real devices among many others.

    Those others are on the roster only: that is all that creating a deployment reads of a device.
    """
    from chalicelib.fleet import membership
    from chalicelib.fleet.tables import RosterItem

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


def test_a_poll_among_others_deployments_is_one_read(fleet: World, warm) -> None:
    mine, other = fleet.devices
    # Twelve targets: too many to wait on heads, so that every poll of the tenant sees the deployment.
    for number in range(3):
        strangers = [str(uuid.uuid4()) for _ in range(11)]
        fleet.deploy("release", [other.id, *strangers], name=f"others {number}")
    serves_nothing(mine.poll())
    with counted() as cost:
        serves_nothing(mine.poll())
    assert cost.calls == ["GetItem"]
    assert (cost.read_units, cost.write_units) == (1, 0)


def test_a_whole_update_stays_at_its_floors(fleet: World, warm) -> None:
    device, other = fleet.devices
    with counted() as create:
        deployment = fleet.deploy("release")
    assert create.by_operation["TransactWriteItems"] == 1
    # A fixed handful and a counter item per 2,000 devices, 16 at the most; the targets are one object in the bucket.
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


def test_an_update_for_one_device_costs_no_other_poll_anything(fleet: World, warm) -> None:
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


@pytest.mark.slow
def test_a_deployment_to_a_hundred_thousand_devices_is_one_request(world: World, tenant) -> None:
    from chalicelib.fleet import membership
    from chalicelib.fleet.tables import RosterItem

    with RosterItem.batch_write() as batch:
        for _ in range(100_000):
            batch.save(membership._roster_item(tenant.id, str(uuid.uuid4())))
    world.upload("release")
    with counted() as cost:
        deployment = world.deploy("release")
    assert world.show(deployment)["max_devices"] == 100_000
    assert cost.by_operation["TransactWriteItems"] == 1
    assert cost.write_units <= 2 * (8 + 16)

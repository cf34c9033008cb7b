"""The schedule records due changes of deployments once, at a cost that depends only on what is due."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from chalicelib.deployments.service import managing as service
from chalicelib.deployments.service import opening
from chalicelib.deployments.service.schedule import running
from chalicelib.deployments.tables import due_items
from chalicelib.deployments.tables.items import DeploymentItem, deployment_ref
from chalicelib.storage import due
from chalicelib.storage.keys import TenantId
from tests.deployments.world import World, serves
from tests.support.probe import counted

if TYPE_CHECKING:
    from tests.simulator.device import Device
    from tests.support.time import Clock

Opened = list[tuple[str, int]]


@pytest.fixture
def device(world: World, moment: Clock) -> Device:
    """The first of two devices that can install release two."""
    world.upload("two")
    first, _ = world.device(), world.device()
    return first


@pytest.fixture
def opened(moment: Clock, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Deployment and number of each phase that was recorded as open. Leftovers of other tests are processed first."""
    future = moment.time + timedelta(days=100_000)
    while list(due_items.by(future, limit=1)):
        running.tick(future)

    seen: Opened = []
    monkeypatch.setattr(
        opening, "phase_opened", lambda _tx, _tenant, deployment, number: seen.append((deployment, number))
    )
    return seen


def tick(moment: Clock) -> None:
    service.tick(moment.time)


def two_phases(world: World, moment: Clock, name: str = "rollout") -> str:
    return world.deploy(
        "two",
        name=name,
        phases=[{"batch_size": 50, "start_ts": moment.later(hours=1)}, {"start_ts": moment.later(hours=2)}],
    )


def test_each_phase_is_recorded_once(world: World, device: Device, moment: Clock, opened: Opened) -> None:
    deployment = two_phases(world, moment)
    tick(moment)
    assert opened == []

    moment.move(hours=1)
    tick(moment)
    tick(moment)
    assert opened == [(deployment, 0)]

    moment.move(hours=-1)  # a clock that goes back opens nothing twice and closes nothing
    tick(moment)
    moment.move(hours=2)
    tick(moment)
    tick(moment)
    assert opened == [(deployment, 0), (deployment, 1)]


def test_a_late_run_records_everything_that_is_due(world: World, device: Device, moment: Clock, opened: Opened) -> None:
    deployment = two_phases(world, moment)
    moment.move(hours=1)
    serves(device.poll(), deployment)  # devices do not have to wait for the schedule
    moment.move(days=3)

    tick(moment)

    assert opened == [(deployment, 0), (deployment, 1)]


def test_phases_open_at_creation_are_recorded_with_the_deployment(
    world: World, device: Device, moment: Clock, opened: Opened
) -> None:
    deployment = world.deploy("two", phases=[{"batch_size": 50}, {"start_ts": moment.later(hours=1)}])

    assert opened == [(deployment, 0)]


def test_phases_of_a_finished_deployment_do_not_open(
    world: World, device: Device, moment: Clock, opened: Opened
) -> None:
    world.abort(two_phases(world, moment))
    moment.move(hours=3)

    tick(moment)

    assert opened == []


def test_a_failing_item_does_not_block_others(
    world: World, device: Device, moment: Clock, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, good = two_phases(world, moment, "broken"), two_phases(world, moment, "good")
    record = opening.phase_opened

    def fail(tx, tenant, deployment: str, number: int) -> None:
        if deployment == broken:
            raise RuntimeError("the hook fails")
        record(tx, tenant, deployment, number)

    monkeypatch.setattr(opening, "phase_opened", fail)
    moment.move(hours=1)
    tick(moment)
    assert opened == [(good, 0)]

    monkeypatch.setattr(opening, "phase_opened", record)
    tick(moment)
    assert opened == [(good, 0)]  # not retried yet: the failure may last
    moment.move(minutes=5)
    tick(moment)
    assert opened == [(good, 0), (broken, 0)]


def test_the_cost_of_a_run_does_not_grow_with_waiting_tenants(
    world: World, device: Device, moment: Clock, opened: Opened
) -> None:
    tick(moment)  # process leftovers of other tests
    with counted() as before:
        tick(moment)
    assert before.by_operation == {"Query": 8}

    with DeploymentItem.batch_write() as batch:
        for _ in range(1000):
            each = str(uuid.uuid4())
            item = deployment_ref(TenantId(uuid.uuid4().hex), each)
            item.name = item.artifact_name = item.lock = "waits"
            item.sequence, item.created, item.size, item.shards = 1, moment.time, 1, 1
            item.artifacts = item.filter = []
            item.history_pk = item.state_pk = "elsewhere"
            item.history_sk = item.state_sk = each
            item.due_pk, item.due_sk = due.key(each, moment.time + timedelta(days=1000))
            batch.save(item)
    with counted() as idle:
        tick(moment)
    assert idle.by_operation == before.by_operation
    assert idle.read_units == before.read_units

    deployment = two_phases(world, moment)
    moment.move(hours=1)
    with counted() as one:
        tick(moment)
    assert opened == [(deployment, 0)]
    assert one.by_operation == {"Query": 8, "BatchGetItem": 1, "TransactWriteItems": 1}

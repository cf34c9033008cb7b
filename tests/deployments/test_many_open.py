"""Many open deployments for other devices: what a poll and a creation cost does not depend on their number."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from chalicelib.deployments.rules.deployment import Plan
from chalicelib.deployments.rules.targets import Targets
from chalicelib.deployments.service import plans
from chalicelib.deployments.service.devices.serving import _Poll
from chalicelib.deployments.tables import deployments
from chalicelib.fleet import control, control_items
from chalicelib.storage.transactions import Transaction
from tests.deployments.test_dynamic import deploy, save_filter, tag
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.support.probe import counted

if TYPE_CHECKING:
    from chalicelib.deployments.rules.polling import Waiting
    from chalicelib.storage.keys import TenantId

MANY = [1, 100, 1000]


def open_more(tenant: TenantId, like: str, upto: int) -> list[str]:
    """Store deployments like the given one, each with 12 other targets, until ``upto`` are open; returns their ids.

    It is faster than the API, and stores the same items except for counters.
    """
    found = deployments.find(tenant, like)
    assert found is not None
    made = []
    for _ in range(upto - len(control.get(tenant, fresh=True).open)):
        new = str(uuid.uuid4())
        plan = replace(found.plan, id=new, lock=new, sequence=control_items.next_sequence(tenant))
        tx = Transaction()
        deployments.create(tx, tenant, replace(found, plan=plan), complete=0, due_at=None)
        if not plan.dynamic:
            targets = Targets.of(str(uuid.uuid4()) for _ in range(12))
            deployments.put_targets(tx, tenant, new, targets.to_bytes())
        control_items.open_deployment(tx, tenant, new, plan.sequence)
        tx.commit()
        made.append(new)
    control.forget(tenant)
    return made


@pytest.fixture
def visited(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The deployments that polls look at, in order."""
    seen: list[str] = []
    look = _Poll.plan

    def noted(self: _Poll, waiting: Waiting) -> Plan | None:
        seen.append(waiting.deployment)
        return look(self, waiting)

    monkeypatch.setattr(_Poll, "plan", noted)
    return seen


def to_strangers(world: World, name: str = "to strangers") -> str:
    return world.deploy("two", [str(uuid.uuid4()) for _ in range(12)], name=name)


def test_a_poll_visits_none_of_those_for_other_devices(world: World, tenant, warm, visited: list[str]) -> None:
    device = world.device()
    world.upload("two")
    other = to_strangers(world)
    for many in MANY:
        open_more(tenant.id, other, many)
        serves_nothing(device.poll())
        visited.clear()
        with counted() as idle:
            serves_nothing(device.poll())

        assert (len(control.get(tenant.id).open), visited) == (many, [])
        assert (idle.calls, idle.read_units, idle.write_units) == (["GetItem"], 1, 0)

    world.abort(other)
    mine = world.deploy("two", [device.id, *(str(uuid.uuid4()) for _ in range(11))])
    visited.clear()
    serves(device.poll(), mine)
    assert visited == [mine]


def test_creating_and_aborting_cost_the_same(world: World, tenant, warm) -> None:
    world.upload("two")
    first = to_strangers(world)
    costs = []
    for many in (1, 40, 200):
        open_more(tenant.id, first, many)
        world.api.get(DEPLOYMENTS)  # this process knows which are open
        with counted() as created:
            new = to_strangers(world, f"number {many}")
        with counted() as aborted:
            world.abort(new)
        costs.append(tuple((each.round_trips, each.read_units, each.write_units) for each in (created, aborted)))

    assert costs[1:] == costs[:1] * 2


def test_a_poll_visits_none_that_the_device_has_finished(world: World, tenant, warm, visited: list[str]) -> None:
    device = world.device()
    world.upload("two")
    everyone = [device.id, *(str(uuid.uuid4()) for _ in range(11))]
    made = [world.deploy("two", everyone, name=str(number), force_installation=True) for number in range(20)]
    newest = world.deploy("two", [device.id])
    for deployment in [*made, newest]:
        serves(device.poll(), deployment)
        device.report(deployment, "success")
    serves_nothing(device.poll())
    visited.clear()

    serves_nothing(device.poll())

    assert (len(control.get(tenant.id).open), visited) == (20, [])


@pytest.mark.parametrize("targets", [5, 6, 400, 401])
def test_targets_are_found_however_they_are_stored(world: World, tenant, visited: list[str], targets: int) -> None:
    mine, other = world.device(), world.device()
    world.upload("two")
    ids = [mine.id, *(str(uuid.uuid4()) for _ in range(targets - 1))]
    starts = [{"batch_size": 100}] if targets > 5 else []
    deployment = world.deploy("two", ids, phases=starts)
    serves_nothing(other.poll())
    visited.clear()

    serves_nothing(other.poll())
    assert visited == []
    serves(mine.poll(), deployment)


def test_a_poll_visits_no_dynamic_ones_that_do_not_match(world: World, tenant, warm, visited: list[str]) -> None:
    device = world.device()
    world.upload("two")
    chosen = save_filter(world, "tags", "place", "here")
    other = deploy(world, chosen)
    for many in MANY:
        new = open_more(tenant.id, other, many)
        serves_nothing(device.poll())
        # Each is matched once, with one read of the inventory for all of them.
        assert set(visited) >= set(new)
        visited.clear()
        with counted() as idle:
            serves_nothing(device.poll())

        assert (len(control.get(tenant.id).open), visited) == (many, [])
        assert (idle.calls, idle.read_units, idle.write_units) == (["GetItem"], 1, 0)

    tag(world, device, "here")
    serves(device.poll(), other)


def test_a_device_without_history_is_matched_again(world: World, tenant, warm) -> None:
    device = world.device()
    world.upload("two")
    tag(world, device, "here")
    matching = deploy(world, save_filter(world, "tags", "place", "here"))
    serves(device.poll(), matching)
    device.report(matching, "success")
    deploy(world, save_filter(world, "tags", "place", "there"), name="there")
    serves_nothing(device.poll())
    assert world.api.delete(f"{DEPLOYMENTS}/devices/{device.id}/history").status_code == 204

    serves(device.poll(), matching)


def test_one_that_comes_late_does_not_get_a_lower_number(world: World, tenant) -> None:
    """Filter matches are stored up to a number, and a device that has finished a newer deployment gets no older one."""
    world.upload("two")
    early = control_items.next_sequence(tenant.id)
    to_strangers(world)

    tx = Transaction()
    control_items.open_deployment(tx, tenant.id, "late", early)

    assert not tx.try_commit()
    assert "late" not in control.get(tenant.id, fresh=True).open


def test_another_process_starts_with_one_visit_at_most(world: World, tenant, visited: list[str]) -> None:
    device = world.device()
    world.upload("two")
    open_more(tenant.id, to_strangers(world), 60)
    for store in (plans._plans, plans._targets, plans._indexes):
        store.clear()

    serves_nothing(device.poll())

    assert visited == []

"""Retries under races and crashes, their cost, and the names that they get."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import clock, limits
from chalicelib.deployments.rules import retrying
from chalicelib.deployments.rules.deployment import Plan
from chalicelib.deployments.service import managing as service
from chalicelib.deployments.shapes import NewRetry
from chalicelib.errors import Conflict
from chalicelib.fleet import control
from chalicelib.rights import EVERYWHERE
from tests.deployments.test_races import codes, concurrently
from tests.deployments.test_retrying import _end, _post, _retry
from tests.deployments.world import World
from tests.support.crashes import each_crash
from tests.support.probe import counted

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from tests.simulator.device import Device


@pytest.fixture
def fleet(world: World) -> list[Device]:
    """Four devices that can install release two."""
    world.upload("two")
    return [world.device() for _ in range(4)]


def test_a_retry_that_is_sent_eight_times_at_once_is_one_deployment(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two")
    for device in fleet:
        _end(device, deployment)
    answers = codes(concurrently([partial(_post, world.api, deployment)] * 8))
    assert answers[201] == 1
    assert set(answers) <= {201, 409, 503}
    (again,) = world.show(deployment)["retried_by"]
    assert world.show(again)["max_devices"] == 4


def test_a_retry_may_crash_anywhere(world: World, fleet: list[Device], tenant: Tenant) -> None:
    made = [world.deploy("two")]
    _end(fleet[0], made[-1])

    def retry() -> str:
        return service.save(tenant.id, service.draft_retry(tenant.id, made[-1], NewRetry(), (EVERYWHERE,)))

    for _ in each_crash(retry):
        control.forget(tenant.id)  # a crashed process remembers nothing
        with suppress(Conflict):  # the crashed one had been committed
            retry()
        (again,) = world.show(made[-1])["retried_by"]
        assert world.show(again)["parent"] == made[-1]
        _end(fleet[0], again)
        assert world.show(again)["status"] == "finished"
        made.append(again)
    assert len(made) > 5


@pytest.mark.usefixtures("warm")
def test_the_cost_of_a_retry(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two")
    for device in fleet[:2]:
        _end(device, deployment)
    with counted() as plain:
        world.deploy("two", [device.id for device in fleet[:2]], name="plain")
    with counted() as cost:
        _retry(world, deployment)
    assert cost.by_operation["TransactWriteItems"] == 1
    # The parent and its counters, the devices that failed, and whether they still exist.
    assert len(cost.calls) <= len(plain.calls) + 5


def _plan(name: str, parent: str | None) -> Plan:
    return Plan(id="id", name=name, artifact_name="two", created=clock.now(), size=1, parent=parent, filter={}, lock="")


@given(st.text(min_size=1, max_size=limits.DEPLOYMENT_NAME), st.lists(st.integers(1, 20), max_size=200))
def test_default_names_are_bounded(name: str, path: list[int]) -> None:
    parent = None
    for number in path:
        name = retrying.name(_plan(name, parent), number)
        assert name.endswith(f"{number})")
        assert len(name) <= limits.DEPLOYMENT_NAME
        parent = "parent"


@given(
    st.text(min_size=1, max_size=40), st.lists(st.lists(st.integers(1, 20), min_size=1, max_size=8), unique_by=tuple)
)
def test_default_names_of_one_deployments_retries_differ(first: str, paths: list[list[int]]) -> None:
    names = set()
    for path in paths:
        name, parent = first, None
        for number in path:
            name, parent = retrying.name(_plan(name, parent), number), "parent"
        names.add(name)
    assert len(names) == len(paths)

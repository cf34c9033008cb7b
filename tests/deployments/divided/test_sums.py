"""Sums of counter items that are kept after the end of a large deployment."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from chalicelib.deployments.tables import counters, deployments
from tests.deployments.test_crashes import consistent
from tests.deployments.test_races import concurrently
from tests.deployments.world import DEPLOYMENTS, World, serves
from tests.support.probe import counted

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Deployment
    from chalicelib.deployments.rules.statistics import Counts
    from chalicelib.tenantadm.service import Tenant
    from tests.simulator.device import Device


@pytest.fixture
def ended(world: World, warm: None) -> tuple[str, list[Device]]:
    """A deployment that three devices have finished, with the devices."""
    world.upload("two")
    fleet = [world.device() for _ in range(3)]
    deployment = world.deploy("two")
    for device in fleet:
        serves(device.poll(), deployment)
        device.report(deployment, "success")
    return deployment, fleet


def test_a_list_reads_the_counters_of_ended_deployments_once(world: World, ended: tuple[str, list[Device]]) -> None:
    first = world.api.get(DEPLOYMENTS).json()
    with counted() as cost:
        again = world.api.get(DEPLOYMENTS).json()

    assert again == first
    assert (again[0]["status"], again[0]["statistics"]["status"]["success"]) == ("finished", 3)
    # The user of the call, the list, and the numbers of the tenant's deployments.
    assert (cost.calls, cost.read_units) == (["BatchGetItem", "Query", "BatchGetItem"], 2 + 0.5 + 0.5)


def test_a_correction_drops_them(world: World, ended: tuple[str, list[Device]], tenant: Tenant) -> None:
    deployment, fleet = ended
    assert world.numbers(deployment) == {"success": 3}
    assert fleet[0].report(deployment, "failure").status_code == 204

    stored = deployments.find(tenant.id, deployment)
    assert stored is not None
    assert (stored.sums, stored.corrections) == (None, 1)
    assert world.numbers(deployment) == {"success": 2, "failure": 1}
    assert world.numbers(deployment) == {"success": 2, "failure": 1}
    consistent(world, deployment)


def test_sums_that_are_older_than_a_correction_are_not_kept(
    world: World, ended: tuple[str, list[Device]], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, fleet = ended
    keep = deployments.keep_sums

    def late(tenant: str, seen: Deployment, sums: Counts) -> None:
        monkeypatch.setattr(deployments, "keep_sums", keep)
        assert fleet[0].report(deployment, "failure").status_code == 204
        keep(tenant, seen, sums)  # type: ignore[arg-type]  # the tenant's id

    monkeypatch.setattr(deployments, "keep_sums", late)
    world.numbers(deployment)
    assert world.numbers(deployment) == {"success": 2, "failure": 1}


def test_corrections_and_reads_at_the_same_time(world: World, ended: tuple[str, list[Device]]) -> None:
    deployment, fleet = ended
    calls = [partial(device.report, deployment, status) for device in fleet for status in ("failure", "success")]
    reads = [partial(world.api.get, f"{DEPLOYMENTS}/{deployment}") for _ in range(4)]

    concurrently([*calls, *reads])
    consistent(world, deployment)
    assert sum(world.numbers(deployment).values()) == 3


def test_sums_of_an_aborted_deployment_are_kept_once_its_parts_are_closed(
    world: World, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.upload("two")
    device, _ = world.device(), world.device()
    deployment = world.deploy("two")
    serves(device.poll(), deployment)
    with monkeypatch.context() as patch:
        patch.setattr(counters, "in_parallel", lambda _function, _items: 1 / 0)
        answer = world.api.put(f"{DEPLOYMENTS}/{deployment}/status", json={"status": "aborted"})
    assert answer.status_code == 500
    assert world.numbers(deployment) == {"aborted": 1}
    assert device.report(deployment, "downloading").status_code == 204  # nobody was told of the abort yet
    stored = deployments.find(tenant.id, deployment)
    assert stored is not None
    assert stored.sums is None

    answer = world.api.put(f"{DEPLOYMENTS}/{deployment}/status", json={"status": "aborted"})
    assert answer.status_code == 422
    assert device.report(deployment, "failure").status_code == 409
    assert world.numbers(deployment) == {"aborted": 1}
    stored = deployments.find(tenant.id, deployment)
    assert stored is not None
    assert stored.sums is not None

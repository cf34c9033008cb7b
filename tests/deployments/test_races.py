"""Concurrent calls: the loser gets an error, each device is counted once, and a deployment finishes once."""

from __future__ import annotations

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from chalicelib import limits
from chalicelib.storage import dynamodb
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulator.device import Device


def concurrently(calls: list[Callable[[], httpx2.Response]]) -> list[httpx2.Response]:
    """The answers to calls that start at the same moment."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], httpx2.Response]) -> httpx2.Response:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def codes(answers: list[httpx2.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def aborting(world: World, deployment: str) -> Callable[[], httpx2.Response]:
    return partial(world.api.put, f"{DEPLOYMENTS}/{deployment}/status", json={"status": "aborted"})


def reporting(device: Device, deployment: str, status: str) -> Callable[[], httpx2.Response]:
    return partial(device.report, deployment, status)


@pytest.fixture
def fleet(world: World) -> list[Device]:
    world.upload("two")
    return [world.device() for _ in range(12)]


@pytest.fixture(params=[limits.COUNTER_SHARD_DEVICES, 1], ids=["one-counter", "a-counter-each"])
def rollout(request, world: World, fleet: list[Device], monkeypatch: pytest.MonkeyPatch) -> str:
    """A deployment that all twelve devices are installing."""
    monkeypatch.setattr(limits, "COUNTER_SHARD_DEVICES", request.param)
    deployment = world.deploy("two")
    for device in fleet:
        serves(device.poll(), deployment)
    return deployment


def test_concurrent_first_polls_create_one_row_each(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two")

    for answer in concurrently([device.poll for device in fleet]):
        serves(answer, deployment)

    assert world.numbers(deployment) == {"pending": 12}
    assert world.show(deployment)["device_count"] == len(world.rows(deployment)) == 12


@pytest.mark.parametrize("targets", [1, 8], ids=["on-heads", "in-control"])
def test_sixteen_concurrent_polls_of_a_device_create_one_row(world: World, targets: int) -> None:
    device = world.device()
    artifact = world.upload("two")
    deployment = world.deploy("two", [device.id, *(str(uuid.uuid4()) for _ in range(targets - 1))])

    answers = concurrently([device.poll] * 16)

    assert {serves(answer, deployment)["id"] for answer in answers} == {artifact}
    assert world.show(deployment)["device_count"] == len(world.rows(deployment)) == 1
    # The artifact is also counted once.
    assert world.show(deployment)["statistics"]["total_size"] == world.rows(deployment)[device.id]["image"]["size"]


def test_concurrent_reports_finish_a_deployment_once(world: World, fleet: list[Device], rollout: str) -> None:
    wanted = ["success", "failure", "success"] * 4
    answers = concurrently([reporting(*each) for each in zip(fleet, [rollout] * 12, wanted, strict=True)])

    assert codes(answers) == {204: 12}
    assert world.numbers(rollout) == {"success": 8, "failure": 4}
    shown = world.show(rollout)
    assert shown["status"] == "finished"
    assert "finished" in shown
    # Finished once, not twice: the tenant's totals are correct, and another deployment can be created.
    answer = world.api.get(DEPLOYMENTS, params={"status": "finished"})
    assert answer.headers["X-Total-Count"] == "1"
    assert aborting(world, rollout)().status_code == 422
    again = world.deploy("two")
    assert world.api.get(DEPLOYMENTS).headers["X-Total-Count"] == "2"
    for device in fleet:
        serves(device.poll(), again)


def test_two_concurrent_last_reports(world: World, fleet: list[Device], rollout: str) -> None:
    for device in fleet[2:]:
        assert device.report(rollout, "success").status_code == 204
    assert world.show(rollout)["status"] == "inprogress"

    assert codes(concurrently([reporting(device, rollout, "success") for device in fleet[:2]])) == {204: 2}

    assert world.numbers(rollout) == {"success": 12}
    assert world.show(rollout)["status"] == "finished"
    assert world.api.get(DEPLOYMENTS, params={"status": "finished"}).headers["X-Total-Count"] == "1"


def test_a_report_sent_eight_times_concurrently_counts_once(world: World, fleet: list[Device], rollout: str) -> None:
    device = fleet[0]

    assert codes(concurrently([reporting(device, rollout, "success")] * 8)) == {204: 8}

    assert world.numbers(rollout) == {"success": 1, "pending": 11}
    serves_nothing(device.poll())


def test_contradicting_reports_count_once(world: World, fleet: list[Device], rollout: str) -> None:
    calls = [reporting(fleet[0], rollout, status) for status in ["success", "failure", "installing", "rebooting"] * 2]

    assert codes(concurrently(calls)) == {204: 8}

    numbers = world.numbers(rollout)
    assert sum(numbers.values()) == 12
    assert numbers["pending"] == 11
    assert numbers[world.rows(rollout)[fleet[0].id]["status"]] == 1


def test_a_row_that_is_reactivated_during_a_late_report(world: World, fleet: list[Device], rollout: str) -> None:
    """The late report has already read the head, and then reads the reactivated row."""
    device = fleet[0]
    assert device.report(rollout, "success").status_code == 204
    meanwhile: list[httpx2.Response] = []

    def take_up(operation: str, request: dict[str, Any], _answer: dict[str, Any]) -> None:
        if operation == "GetItem" and request["Key"]["sk"] == {"S": "HEAD"} and take_up in dynamodb.observers:
            dynamodb.observers.remove(take_up)
            meanwhile.append(device.report(rollout, "installing"))

    dynamodb.observers.append(take_up)
    late = device.report(rollout, "failure")

    assert codes([late, *meanwhile]) == {204: 2}, "both, one within the other"
    for status in ("rebooting", "success"):
        assert device.report(rollout, status).status_code == 204
        assert world.rows(rollout)[device.id]["status"] == status
    assert world.numbers(rollout) == {"success": 1, "pending": 11}


def test_a_failure_sent_eight_times_uses_one_attempt(world: World, fleet: list[Device]) -> None:
    device = fleet[0]
    deployment = world.deploy("two", [device.id], retries=5)
    serves(device.poll(), deployment)

    assert codes(concurrently([reporting(device, deployment, "failure")] * 8)) == {204: 8}

    assert world.rows(deployment)[device.id]["attempts"] == 2
    serves(device.poll(), deployment)


def test_an_abort_during_reports_and_polls(world: World, fleet: list[Device], rollout: str) -> None:
    reports = [reporting(device, rollout, "success") for device in fleet[:10]]
    polls = [device.poll for device in fleet[10:]]

    aborted, *answers = concurrently([aborting(world, rollout), *reports, *polls])

    assert aborted.status_code == 204
    assert set(codes(answers[:10])) <= {204, 409}
    assert set(codes(answers[10:])) <= {200, 204}
    succeeded = codes(answers[:10])[204]
    expected = {"success": succeeded, "aborted": 12 - succeeded}
    assert world.numbers(rollout) == {status: count for status, count in expected.items() if count}
    assert Counter(row["status"] for row in world.rows(rollout).values()) == world.numbers(rollout)
    assert world.api.get(DEPLOYMENTS, params={"status": "finished"}).headers["X-Total-Count"] == "1"
    for device in fleet:
        serves_nothing(device.poll())


def test_an_abort_during_the_last_report(world: World, fleet: list[Device], rollout: str) -> None:
    for device in fleet[1:]:
        device.report(rollout, "success")

    aborted, reported = concurrently([aborting(world, rollout), reporting(fleet[0], rollout, "success")])

    # Either the report was first and there was nothing left to abort, or it was too late.
    assert (aborted.status_code, reported.status_code) in {(422, 204), (204, 409)}
    assert world.numbers(rollout) == ({"success": 12} if reported.status_code == 204 else {"success": 11, "aborted": 1})
    assert world.show(rollout)["status"] == "finished"
    assert world.api.get(DEPLOYMENTS, params={"status": "finished"}).headers["X-Total-Count"] == "1"


def test_one_of_eight_concurrent_aborts_succeeds(world: World, rollout: str) -> None:
    answers = concurrently([aborting(world, rollout)] * 8)

    assert codes(answers) == {204: 1, 422: 7}
    assert world.numbers(rollout) == {"aborted": 12}
    assert world.api.get(DEPLOYMENTS, params={"status": "finished"}).headers["X-Total-Count"] == "1"


def test_one_of_eight_equal_deployments_is_created(world: World, fleet: list[Device]) -> None:
    body = {"name": "rollout", "artifact_name": "two", "devices": [fleet[0].id]}

    answers = concurrently([partial(world.api.post, DEPLOYMENTS, json=body)] * 8)

    assert codes(answers) == {201: 1, 409: 7}
    assert world.api.get(DEPLOYMENTS).headers["X-Total-Count"] == "1"
    (made,) = world.api.get(DEPLOYMENTS).json()
    serves(fleet[0].poll(), made["id"])


def test_eight_concurrent_deployments_for_one_device_are_all_stored(world: World) -> None:
    """All write to the device head, so all but one have to be retried, some of them several times."""
    device = world.device()
    world.upload("two")
    bodies = [{"name": f"number {each}", "artifact_name": "two", "devices": [device.id]} for each in range(8)]

    answers = concurrently([partial(world.api.post, DEPLOYMENTS, json=body) for body in bodies])

    assert codes(answers) == {201: 8}
    in_order = [each["id"] for each in world.api.get(DEPLOYMENTS, params={"sort": "asc"}).json()]
    for deployment in in_order:
        serves(device.poll(), deployment)
        device.report(deployment, "success")
    serves_nothing(device.poll())


def test_withdrawing_a_device_during_its_report(world: World, fleet: list[Device], rollout: str) -> None:
    device = fleet[0]
    withdraw = partial(world.api.delete, f"{DEPLOYMENTS}/devices/{device.id}")

    gone, reported = concurrently([withdraw, reporting(device, rollout, "success")])

    assert gone.status_code == 204
    assert reported.status_code in {204, 409}
    expected = "success" if reported.status_code == 204 else "aborted"
    assert world.numbers(rollout) == {"pending": 11, expected: 1}
    serves_nothing(device.poll())


def test_an_artifact_is_deleted_or_deployed_but_not_both(world: World) -> None:
    device = world.device()
    for number in range(4):
        artifact = world.upload(f"release-{number}")
        delete = partial(world.api.delete, f"/api/management/v1/deployments/artifacts/{artifact}")
        body = {"name": "rollout", "artifact_name": f"release-{number}", "devices": [device.id]}

        deleted, created = concurrently([delete, partial(world.api.post, DEPLOYMENTS, json=body)])

        assert (deleted.status_code, created.status_code) in {(204, 422), (409, 201)}
        if created.status_code == 201:
            deployment = created.headers["Location"].rsplit("/", 1)[-1]
            serves(device.poll(), deployment)
            device.report(deployment, "success")

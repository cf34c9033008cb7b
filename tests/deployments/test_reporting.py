"""Reports of devices, and what operators see of them."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import limits
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing

LINES = {"messages": [{"timestamp": "2016-10-27T07:00:00Z", "level": "error", "message": "out of space"}]}


@pytest.fixture
def device(world: World):
    return world.device()


@pytest.fixture
def running(world: World, device) -> str:
    """A deployment that was served to the device."""
    world.upload("two")
    deployment = world.deploy("two", [device.id])
    serves(device.poll(), deployment)
    return deployment


def test_the_first_report_ends_the_status_pending(world: World, device, running: str) -> None:
    assert world.show(running)["status"] == "pending"
    assert world.show(running)["device_count"] == 1

    device.report(running, "downloading")

    assert world.show(running)["status"] == "inprogress"


def test_a_row_shows_times_and_substates(world: World, device, running: str) -> None:
    device.report(running, "installing", substate="ArtifactInstall")
    row = world.rows(running)[device.id]
    assert row["status"] == row["state"] == "installing"
    assert row["substate"] == "ArtifactInstall"
    assert row["device_type"] == device.device_type
    assert row["image"]["name"] == "two"
    assert "started" in row
    assert "finished" not in row

    device.report(running, "success")
    assert "finished" in world.rows(running)[device.id]


def test_statuses_may_come_in_any_order_and_twice(world: World, device, running: str) -> None:
    for status in ("rebooting", "downloading", "downloading", "success", "success", "failure", "success"):
        assert device.report(running, status).status_code == 204
    assert world.numbers(running) == {"success": 1}


@pytest.mark.parametrize("status", ["pending", "aborted", "noartifact", "decommissioned", "", "x" * 300])
def test_statuses_that_devices_cannot_report_are_refused(device, running: str, status: str) -> None:
    assert device.report(running, status).status_code == 400


def test_the_length_of_a_substate_is_limited(device, running: str) -> None:
    assert device.report(running, "installing", substate="x" * 200).status_code == 204
    assert device.report(running, "installing", substate="x" * 201).status_code == 400


def test_reports_for_unknown_deployments_get_404(device, running: str) -> None:
    assert device.report(str(uuid.uuid4()), "success").status_code == 404
    assert device.report("no-uuid", "success").status_code == 404


def test_after_an_abort_every_report_is_a_conflict(world: World, device, running: str) -> None:
    device.report(running, "downloading")
    world.abort(running)

    for status in ("downloading", "installing", "success"):
        answer = device.report(running, status)
        assert answer.status_code == 409
        assert answer.json()["error"] == "Deployment aborted"
    serves_nothing(device.poll())
    assert world.numbers(running) == {"aborted": 1}
    again = world.api.put(f"{DEPLOYMENTS}/{running}/status", json={"status": "aborted"})
    assert again.status_code == 422
    assert again.json()["error"] == "Deployment already finished"


def test_a_log_is_stored_by_line_and_replaced(world: World, device, running: str) -> None:
    path = f"/v1/deployments/device/deployments/{running}/log"
    place = f"{DEPLOYMENTS}/{running}/devices/{device.id}/log"
    assert world.api.get(place).status_code == 404

    assert device.call("PUT", path, LINES).status_code == 204
    assert device.call("PUT", path, LINES).status_code == 204

    answer = world.api.get(place)
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text == "2016-10-27 07:00:00 +0000 UTC error: out of space\n"
    assert world.rows(running)[device.id]["log"] is True


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"messages": []},
        {"messages": [{"level": "a", "message": "b"}]},
        {"messages": [{"timestamp": "yesterday", "level": "a", "message": "b"}]},
        {"messages": [{"timestamp": "2016-10-27T07:00:00", "level": "a", "message": "b"}]},
    ],
)
def test_invalid_logs_are_refused(device, running: str, document) -> None:
    assert device.call("PUT", f"/v1/deployments/device/deployments/{running}/log", document).status_code == 400


def test_a_log_for_a_deployment_of_another_device_is_refused(world: World, running: str) -> None:
    other = world.device()
    assert other.call("PUT", f"/v1/deployments/device/deployments/{running}/log", LINES).status_code == 404


def test_an_operator_can_withdraw_a_device_from_all_deployments(world: World, device, running: str) -> None:
    world.upload("three")
    waiting = world.deploy("three", [device.id])

    assert world.api.delete(f"{DEPLOYMENTS}/devices/{device.id}").status_code == 204

    assert world.numbers(running) == world.numbers(waiting) == {"aborted": 1}
    assert device.report(running, "success").status_code == 409
    serves_nothing(device.poll())


def test_several_counter_items_finish_a_deployment_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "COUNTER_SHARD_DEVICES", 2)
    devices = [world.device() for _ in range(12)]
    world.upload("two")
    deployment = world.deploy("two")
    for device in devices:
        serves(device.poll(), deployment)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda device: device.report(deployment, "success"), devices[:-1]))
    assert {answer.status_code for answer in answers} == {204}
    assert world.show(deployment)["status"] == "inprogress"

    devices[-1].report(deployment, "failure")

    assert world.numbers(deployment) == {"success": 11, "failure": 1}
    assert world.show(deployment)["status"] == "finished"
    assert "status=finished" in world.api.get(DEPLOYMENTS, params={"status": "finished"}).headers["Link"]


def test_concurrent_last_reports_finish_a_deployment_once(world: World) -> None:
    devices = [world.device() for _ in range(8)]
    world.upload("two")
    deployment = world.deploy("two")
    for device in devices:
        serves(device.poll(), deployment)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda device: device.report(deployment, "success"), devices))

    assert {answer.status_code for answer in answers} == {204}
    assert world.numbers(deployment) == {"success": 8}
    assert world.show(deployment)["status"] == "finished"
    # The number of open deployments was decremented exactly once.
    assert world.deploy("two")


def test_repeated_polls_create_one_row(world: World, device) -> None:
    world.upload("two")
    deployment = world.deploy("two", [device.id])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: device.poll(), range(8)))

    for answer in answers:
        serves(answer, deployment)
    assert world.numbers(deployment) == {"pending": 1}
    assert world.show(deployment)["device_count"] == 1


def test_an_abort_during_reports_keeps_statistics_correct(world: World) -> None:
    devices = [world.device() for _ in range(8)]
    world.upload("two")
    deployment = world.deploy("two")
    for device in devices:
        serves(device.poll(), deployment)

    def act(number: int) -> int:
        if number == 4:
            answer = world.api.put(f"{DEPLOYMENTS}/{deployment}/status", json={"status": "aborted"})
        else:
            answer = devices[number].report(deployment, "success")
        return answer.status_code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(act, range(8)))

    assert codes[4] == 204
    assert set(codes) <= {204, 409}
    succeeded = sum(code == 204 for code in codes) - 1
    numbers = world.numbers(deployment)
    assert numbers.get("success", 0) == succeeded
    assert numbers["aborted"] == 8 - succeeded


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("0001-01-01T00:00:00Z", "0001-01-01 00:00:00 +0000 UTC"),
        ("0001-01-01T00:00:00+05:30", "0000-12-31 18:30:00 +0000 UTC"),
        ("0000-02-29T00:00:00Z", "0000-02-29 00:00:00 +0000 UTC"),
        ("0000-01-01T00:00:00+01:00", "-0001-12-31 23:00:00 +0000 UTC"),
        ("0999-06-01T12:00:00.5Z", "0999-06-01 12:00:00.5 +0000 UTC"),
        ("9999-12-31T23:59:59-05:00", "10000-01-01 04:59:59 +0000 UTC"),
    ],
)
def test_log_times_are_printed_as_go_does(world: World, device, running: str, sent: str, shown: str) -> None:
    path = f"/v1/deployments/device/deployments/{running}/log"
    message = {"timestamp": sent, "level": "info", "message": "m"}
    assert device.call("PUT", path, {"messages": [message]}).status_code == 204
    assert world.api.get(f"{DEPLOYMENTS}/{running}/devices/{device.id}/log").text == f"{shown} info: m\n"


def test_a_log_with_a_lone_surrogate_is_stored(world: World, device, running: str) -> None:
    path = f"/api/devices/v1/deployments/device/deployments/{running}/log"
    message = rb'{"timestamp":"2016-10-27T07:00:00Z","level":"info","message":"caf\ud83d \ud83d\ude00 @"}'
    raw = b'{"messages":[' + message.replace(b"@", b"\xff") + b"]}"
    headers = {"Authorization": f"Bearer {device.token}", "Content-Type": "application/json"}
    assert world.http.put(path, content=raw, headers=headers).status_code == 204
    log = world.api.get(f"{DEPLOYMENTS}/{running}/devices/{device.id}/log").text
    assert log == "2016-10-27 07:00:00 +0000 UTC info: caf\ufffd \U0001f600 \ufffd\n"

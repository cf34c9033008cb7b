"""The answers to polls."""

from __future__ import annotations

import uuid

import pytest

from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing

NEXT = "/deployments/device/deployments/next"


@pytest.fixture
def device(world: World):
    return world.device()


def test_all_three_versions_of_the_poll_get_the_same_answer(world: World, device) -> None:
    artifact = world.upload("two")
    deployment = world.deploy("two", [device.id])
    said = {"artifact_name": device.artifact_name, "device_type": device.device_type}

    answers = [
        device.call("POST", f"/v2{NEXT}", {"device_provides": said, "update_control_map": True}),
        device.call("POST", f"/v1{NEXT}", said),
        device.call("GET", f"/v1{NEXT}", params=said),
    ]

    for answer in answers:
        given = serves(answer, deployment)
        assert given["id"] == artifact
        assert given["artifact_name"] == "two"
        assert given["device_types_compatible"] == ["qemux86-64"]
        assert given["source"]["uri"].startswith("http")
        assert given["source"]["expire"].endswith("Z")


def test_the_link_needs_no_token_and_supports_ranges(world: World, device) -> None:
    world.upload("two", payload=b"x" * 5000, compression="none")
    deployment = world.deploy("two", [device.id])
    uri = serves(device.poll(), deployment)["source"]["uri"]

    whole = world.http.get(uri)
    part = world.http.get(uri, headers={"Range": "bytes=1000-"})

    assert whole.status_code == 200
    assert int(whole.headers["Content-Length"]) == len(whole.content)
    assert part.status_code == 206
    assert part.content == whole.content[1000:]


@pytest.mark.parametrize(
    ("method", "version", "document"),
    [
        ("POST", "v2", {}),
        ("POST", "v2", {"device_provides": {}}),
        ("POST", "v2", {"device_provides": {"device_type": "a"}}),
        ("POST", "v2", {"device_provides": {"device_type": "a", "artifact_name": 5}}),
        ("POST", "v1", {"artifact_name": "a"}),
        ("POST", "v1", []),
        ("GET", "v1", None),
    ],
)
def test_a_poll_without_device_type_or_artifact_is_refused(device, method: str, version: str, document) -> None:
    answer = device.call(method, f"/{version}{NEXT}", document)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "request_id"}


def test_the_smallest_artifact_whose_dependencies_are_met_is_served(world: World, device) -> None:
    world.upload("two", payload=b"x", depends={"board": ["b"]}, compression="none")
    fits = world.upload("two", payload=b"x" * 3000, depends={"board": ["a"]}, compression="none")
    world.upload("two", payload=b"x" * 9000, compression="none")
    deployment = world.deploy("two", [device.id])

    assert serves(device.poll(board="a"), deployment)["id"] == fits


def test_a_device_without_a_fitting_artifact_is_finished(world: World, device) -> None:
    world.upload("two", ("other-board",))
    deployment = world.deploy("two", [device.id])

    serves_nothing(device.poll())
    assert world.numbers(deployment) == {"noartifact": 1}
    assert world.show(deployment)["status"] == "finished"


def test_an_installed_artifact_is_not_served_again_unless_forced(world: World, device) -> None:
    world.upload(device.artifact_name)
    skipped = world.deploy(device.artifact_name, [device.id], name="once")
    serves_nothing(device.poll())
    assert world.numbers(skipped) == {"already-installed": 1}

    forced = world.deploy(device.artifact_name, [device.id], name="again", force_installation=True)
    serves(device.poll(), forced)


def test_contradicting_polls_fail_the_update(world: World, device) -> None:
    world.upload("two")
    deployment = world.deploy("two", [device.id])
    serves(device.poll(), deployment)

    answer = device.poll(something="else")

    assert answer.status_code == 409
    assert answer.json()["error"] == "Device provided conflicting request data"
    assert world.numbers(deployment) == {"failure": 1}
    serves_nothing(device.poll())


@pytest.mark.parametrize("strangers", [0, 11], ids=["on-heads", "in-control"])
def test_deployments_are_served_in_order_and_none_older_than_the_last_finished(
    world: World, device, strangers: int
) -> None:
    for name in ("two", "three"):
        world.upload(name)
    others = [str(uuid.uuid4()) for _ in range(strangers)]
    first = world.deploy("two", [device.id, *others])
    second = world.deploy("three", [device.id])

    serves(device.poll(), first)
    assert device.report(first, "success").status_code == 204
    serves(device.poll(), second)
    assert device.report(second, "failure").status_code == 204
    serves_nothing(device.poll())


def test_an_open_deployment_includes_artifacts_uploaded_later(world: World, device) -> None:
    world.upload("two", ("other-board",))
    deployment = world.deploy("two", [device.id])
    added = world.upload("two", (device.device_type,))

    assert serves(device.poll(), deployment)["id"] == added


def test_devices_accepted_later_are_not_targets(world: World, device) -> None:
    world.upload("two")
    deployment = world.deploy("two")
    late = world.device()

    serves_nothing(late.poll())
    serves(device.poll(), deployment)


def test_after_deleting_its_history_a_device_gets_unfinished_deployments_again(world: World, device) -> None:
    world.upload("two")
    deployment = world.deploy("two", [device.id, world.device().id])
    serves(device.poll(), deployment)
    device.report(deployment, "failure")
    serves_nothing(device.poll())

    assert world.api.delete(f"{DEPLOYMENTS}/devices/{device.id}/history").status_code == 204

    serves(device.poll(), deployment)
    assert world.numbers(deployment) == {"pending": 2}


def test_retries_serve_the_same_deployment_until_the_last_failure(world: World, device) -> None:
    world.upload("two")
    deployment = world.deploy("two", [device.id], retries=2)
    for _ in range(2):
        serves(device.poll(), deployment)
        for status in ("downloading", "failure", "failure"):
            assert device.report(deployment, status).status_code == 204
        assert world.numbers(deployment) == {"pending": 1}

    serves(device.poll(), deployment)
    device.report(deployment, "failure")

    assert world.numbers(deployment) == {"failure": 1}
    assert world.rows(deployment)[device.id]["attempts"] == 3
    serves_nothing(device.poll())


@pytest.mark.parametrize("said", [("failure",), ("downloading", "failure"), ("downloading", "installing", "failure")])
def test_a_failed_attempt_counts_whatever_was_reported_before(world: World, device, said: tuple[str, ...]) -> None:
    world.upload("two")
    deployment = world.deploy("two", [device.id], retries=2)

    for attempt in (1, 2, 3):
        serves(device.poll(), deployment)
        for status in said:
            assert device.report(deployment, status).status_code == 204
        assert world.rows(deployment)[device.id]["attempts"] == min(attempt + 1, 3)

    assert world.numbers(deployment) == {"failure": 1}
    serves_nothing(device.poll())


def test_an_abort_wins_against_a_concurrent_failed_attempt(world: World, device) -> None:
    """Such a report changes no counters, but they show that the deployment has finished."""
    world.upload("two")
    deployment = world.deploy("two", [device.id], retries=2)
    serves(device.poll(), deployment)
    world.abort(deployment)

    assert device.report(deployment, "failure").status_code == 409


def test_a_retry_that_succeeds_is_a_success(world: World, device) -> None:
    world.upload("two")
    deployment = world.deploy("two", [device.id], retries=3)
    for status in ("failure", "failure", "success"):
        serves(device.poll(), deployment)
        device.report(deployment, status)
    assert world.numbers(deployment) == {"success": 1}
    assert world.show(deployment)["status"] == "finished"

"""Deployments as operators create and see them."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import limits
from tests.deployments.world import DEPLOYMENTS, World, serves

GROUPS = "/api/management/v1/inventory"


def post(world: World, **body):
    return world.api.post(DEPLOYMENTS, json=body)


def test_a_new_deployment_is_shown(world: World) -> None:
    device = world.device()
    artifact = world.upload("two")
    shown = world.show(world.deploy("two", [device.id], name="night shift"))

    assert shown["name"] == "night shift"
    assert shown["artifact_name"] == "two"
    assert shown["artifacts"] == [artifact]
    assert shown["type"] == "software"
    assert (shown["max_devices"], shown["device_count"], shown["status"]) == (1, 0, "pending")
    assert shown["filter"]["terms"] == [{"scope": "identity", "attribute": "id", "type": "$in", "value": [device.id]}]
    assert shown["statistics"]["status"]["pending"] == 1
    assert len(shown["statistics"]["status"]) == 13
    assert "finished" not in shown


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "", "artifact_name": "a", "all_devices": True},
        {"name": "x" * 257, "artifact_name": "a", "all_devices": True},
        {"name": "a", "artifact_name": "x" * 4097, "all_devices": True},
        {"name": "a", "artifact_name": "two"},
        {"name": "a", "artifact_name": "two", "devices": []},
        {"name": "a", "artifact_name": "two", "devices": ["x"], "all_devices": True},
        {"name": "a", "artifact_name": "two", "devices": "x"},
        {"name": "a", "artifact_name": "two", "all_devices": True, "retries": -1},
    ],
)
def test_malformed_deployments_are_refused(world: World, body: dict[str, object]) -> None:
    answer = post(world, **body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Validating request body: ")


def test_deployments_without_artifact_or_devices_are_refused(world: World) -> None:
    answer = post(world, name="a", artifact_name="two", devices=[str(uuid.uuid4())])
    assert (answer.status_code, answer.json()["error"]) == (422, "No artifact for the deployment")
    world.upload("two")
    answer = post(world, name="a", artifact_name="two", all_devices=True)
    assert (answer.status_code, answer.json()["error"]) == (400, "No devices for the deployment")
    answer = world.api.post(f"{DEPLOYMENTS}/group/nobody", json={"name": "a", "artifact_name": "two"})
    assert (answer.status_code, answer.json()["error"]) == (400, "No devices for the deployment")


def test_the_same_deployment_twice_is_a_conflict_while_it_is_open(world: World) -> None:
    ids = [str(uuid.uuid4()), str(uuid.uuid4())]
    world.upload("two")
    first = world.deploy("two", ids)

    again = post(world, name="rollout", artifact_name="two", devices=ids)
    assert again.status_code == 409
    assert "already an active deployment with the same parameters" in again.json()["error"]

    world.deploy("two", ids[::-1])  # devices in another order make a different deployment
    world.abort(first)
    world.deploy("two", ids)


def test_one_of_eight_identical_concurrent_deployments_is_created(world: World) -> None:
    world.upload("two")
    ids = [str(uuid.uuid4()) for _ in range(20)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(world, name="a", artifact_name="two", devices=ids), range(8)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert world.api.get(DEPLOYMENTS).headers["X-Total-Count"] == "1"


def test_the_members_of_a_group_are_fixed_at_creation(world: World) -> None:
    inside, outside = world.device(), world.device()
    world.upload("two")
    place = f"{GROUPS}/devices/{inside.id}/group"
    assert world.api.put(place, json={"group": "lab"}).status_code == 204

    deployment = world.deploy("two", group="lab")

    assert world.api.get(f"{DEPLOYMENTS}/{deployment}/device_list").json() == [inside.id]
    assert world.show(deployment)["groups"] == ["lab"]
    assert world.show(deployment)["filter"]["terms"][0]["attribute"] == "group"
    serves(inside.poll(), deployment)
    assert outside.poll().status_code == 204
    both = world.api.post(f"{DEPLOYMENTS}/group/lab", json={"name": "a", "artifact_name": "two", "devices": ["x"]})
    assert both.status_code == 400


def test_many_targets_are_stored_in_the_bucket(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INLINE_TARGETS", 5)
    device = world.device()
    world.upload("two")
    ids = [device.id, "an odd one", *(str(uuid.uuid4()) for _ in range(30))]
    deployment = world.deploy("two", ids)

    assert sorted(world.api.get(f"{DEPLOYMENTS}/{deployment}/device_list").json()) == sorted(ids)
    assert sorted(world.show(deployment)["filter"]["terms"][0]["value"]) == sorted(ids)
    serves(device.poll(), deployment)


@pytest.mark.parametrize("path", ["", "/statistics", "/devices", "/devices/list", "/device_list"])
def test_unknown_deployments_get_404(world: World, path: str) -> None:
    assert world.api.get(f"{DEPLOYMENTS}/{uuid.uuid4()}{path}").status_code == 404
    answer = world.api.get(f"{DEPLOYMENTS}/no-uuid{path}")
    assert (answer.status_code, answer.json()["error"]) == (400, "ID is not a valid UUID")


def test_operators_can_only_abort(world: World) -> None:
    world.upload("two")
    deployment = world.deploy("two", [str(uuid.uuid4())])
    place = f"{DEPLOYMENTS}/{deployment}/status"
    assert world.api.put(place, json={"status": "finished"}).status_code == 400
    assert world.api.put(f"{DEPLOYMENTS}/{uuid.uuid4()}/status", json={"status": "aborted"}).status_code == 422
    assert world.show(deployment)["status"] == "pending"
    world.abort(deployment)
    shown = world.show(deployment)
    assert shown["status"] == "finished"
    # Devices that never polled are no longer in the statistics.
    assert not any(shown["statistics"]["status"].values())


@pytest.fixture
def history(world: World) -> list[str]:
    """Five deployments, oldest first: the second aborted, the fourth in progress."""
    device = world.device()
    world.upload("two")
    world.upload("camera-fix")
    made = [world.deploy("two", [str(uuid.uuid4())], name=f"number {number}") for number in range(3)]
    made.append(world.deploy("camera-fix", [device.id, str(uuid.uuid4())], name="number 3"))
    made.append(world.deploy("two", [str(uuid.uuid4())], name="number 4"))
    world.abort(made[1])
    serves(device.poll(), made[3])
    device.report(made[3], "installing")
    return made


def listed(world: World, **query) -> list[str]:
    answer = world.api.get(DEPLOYMENTS, params=query)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()]


def test_lists_are_sorted_by_age_and_filtered(world: World, history: list[str]) -> None:
    assert listed(world) == history[::-1]
    assert listed(world, sort="asc") == history
    assert listed(world, status="finished") == listed(world, status="aborted") == [history[1]]
    assert listed(world, status="inprogress") == [history[3]]
    assert listed(world, status="pending") == [history[4], history[2], history[0]]
    assert listed(world, search="CAMERA") == [history[3]]
    assert listed(world, type="configuration") == []
    assert listed(world, created_after=0) == history[::-1]
    assert listed(world, created_before=0) == []
    assert listed(world, page=2, per_page=2) == [history[2], history[1]]


def test_lists_link_to_other_pages(world: World, history: list[str]) -> None:
    answer = world.api.get(DEPLOYMENTS, params={"per_page": 2, "page": 2, "sort": "asc"})
    assert answer.headers["X-Total-Count"] == "5"
    links = answer.headers.get_list("Link")
    relations = [link.strip().split("rel=")[1] for line in links for link in line.split(", ")]
    assert relations == ['"first"', '"prev"', '"next"', '"last"']
    assert f"<{DEPLOYMENTS}?page=3&per_page=2&sort=asc>" in ", ".join(links)


@pytest.mark.parametrize(
    "query",
    [
        {"status": "odd"},
        {"type": "odd"},
        {"sort": "odd"},
        {"created_after": "odd"},
        {"created_before": "9" * 30},
        {"page": "0"},
        {"per_page": "501"},
    ],
)
def test_invalid_queries_of_lists_are_refused(world: World, query: dict[str, str]) -> None:
    assert world.api.get(DEPLOYMENTS, params=query).status_code == 400


def test_statistics_of_several_deployments(world: World, history: list[str]) -> None:
    place = f"{DEPLOYMENTS}/statistics/list"
    for body in ({"deployment_ids": history[:2]}, history[:2]):
        answer = world.api.post(place, json=body)
        assert answer.status_code == 200
        found = {each["id"]: each["stats"] for each in answer.json()}
        assert set(found) == set(history[:2])
        assert found[history[0]]["pending"] == 1
    assert world.api.post(place, json={"deployment_ids": []}).json() == {}
    assert world.api.post(place, json={"deployment_ids": [str(uuid.uuid4())]}).status_code == 404
    assert world.api.post(place, json={"deployment_ids": ["x"]}).status_code == 400
    assert world.api.post(place, json={"deployment_ids": [str(uuid.uuid4())] * 101}).status_code == 400
    assert world.api.post(place, json={}).status_code == 400


def test_devices_of_a_deployment_by_status_and_page(world: World) -> None:
    devices = [world.device() for _ in range(5)]
    world.upload("two")
    deployment = world.deploy("two")
    place = f"{DEPLOYMENTS}/{deployment}/devices"
    assert world.api.get(f"{place}/list").json() == []
    assert {row["status"] for row in world.api.get(place).json()} == {"pending"}
    for device, status in zip(devices, ["success", "failure", "installing", "pause_before_rebooting"], strict=False):
        serves(device.poll(), deployment)
        device.report(deployment, status)

    def rows(**query) -> list[str]:
        answer = world.api.get(f"{place}/list", params=query)
        assert answer.status_code == 200
        return [row["status"] for row in answer.json()]

    assert rows() == ["failure", "pause_before_rebooting", "installing", "success"]
    assert rows(status="finished") == ["failure", "success"]
    assert rows(status="active") == ["pause_before_rebooting", "installing"]
    assert rows(status="pause") == ["pause_before_rebooting"]
    assert rows(page=2, per_page=3) == ["success"]
    assert world.api.get(f"{place}/list", params={"status": "odd"}).status_code == 400
    assert len(world.api.get(place).json()) == 5
    world.abort(deployment)
    assert rows() == ["failure", "aborted", "aborted", "success"]
    assert rows(status="aborted") == ["aborted", "aborted"]


def test_a_devices_history_newest_first(world: World) -> None:
    device = world.device()
    place = f"{DEPLOYMENTS}/devices/{device.id}"
    assert world.api.get(place).json() == []
    made = []
    for name in ("one", "two", "three"):
        world.upload(name)
        made.append(world.deploy(name, [device.id]))
        serves(device.poll(), made[-1])
        device.report(made[-1], "success" if name != "two" else "failure")

    answer = world.api.get(place)
    assert [each["deployment"]["id"] for each in answer.json()] == made[::-1]
    assert [each["device"]["status"] for each in answer.json()] == ["success", "failure", "success"]
    assert answer.headers["X-Total-Count"] == "3"
    assert [each["deployment"]["id"] for each in world.api.get(place, params={"status": "failure"}).json()] == [made[1]]
    assert world.api.get(place, params={"per_page": 21}).status_code == 400
    assert world.api.delete(f"{place}/history").status_code == 204
    assert all("deleted" in each["device"] for each in world.api.get(place).json())


def test_an_artifact_in_use_cannot_be_deleted(world: World) -> None:
    artifact = world.upload("two")
    place = f"/api/management/v1/deployments/artifacts/{artifact}"
    deployment = world.deploy("two", [str(uuid.uuid4())])
    assert world.api.delete(place).status_code == 409
    assert world.api.put(place, json={"description": "x"}).status_code == 422
    world.abort(deployment)
    assert world.api.delete(place).status_code == 204

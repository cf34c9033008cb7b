"""Creating deployments: valid requests, order per device, and isolation of tenants."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from chalicelib import limits
from chalicelib.deployments.service import plans
from chalicelib.deployments.tables import rows
from chalicelib.tenantadm import service
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import SignIn
    from tests.simulator.device import Device

TWICE = "Invalid deployment definition: there is already an active deployment with the same parameters"


def post(world: World, **body) -> httpx2.Response:
    return world.api.post(DEPLOYMENTS, json={"name": "rollout", "artifact_name": "two"} | body)


@pytest.fixture
def device(world: World) -> Device:
    world.upload("two")
    return world.device()


@pytest.mark.parametrize("chosen", [{}, {"devices": []}, {"devices": ["x"], "all_devices": True}])
def test_devices_are_chosen_in_exactly_one_way(world: World, chosen: dict[str, object]) -> None:
    answer = post(world, **chosen)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Validating request body: Invalid deployments definition: ")


@pytest.mark.parametrize("chosen", [{"devices": ["x"]}, {"all_devices": True}])
def test_a_deployment_to_a_group_takes_no_other_choice_of_devices(world: World, chosen: dict[str, object]) -> None:
    answer = world.api.post(f"{DEPLOYMENTS}/group/lab", json={"name": "a", "artifact_name": "two", **chosen})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Validating request body: Invalid deployments definition: ")


@pytest.mark.parametrize("path", ["", "/group/lab"])
def test_a_body_that_is_not_json_is_refused(world: World, path: str) -> None:
    def send(content: bytes, kind: str = "application/json") -> int:
        return world.api.post(DEPLOYMENTS + path, content=content, headers={"Content-Type": kind}).status_code

    assert send(b"") == 400
    assert send(b"{") == 400
    assert send(b"[]") == 400
    assert send(b"{}", "text/plain") == 415
    assert send(b" " * (limits.BODY + 1)) == 413


def test_the_location_header_of_a_new_deployment(world: World, device: Device) -> None:
    answer = post(world, devices=[device.id])

    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["Location"] == f"{DEPLOYMENTS}/{world.api.get(DEPLOYMENTS).json()[0]['id']}"


def test_unknown_members_are_ignored_and_known_ones_may_be_in_any_case(world: World, device: Device) -> None:
    answer = world.api.post(
        DEPLOYMENTS,
        json={
            "Name": "rollout",
            "ARTIFACT_NAME": "two",
            "Devices": [device.id],
            "phases": [{}],
            "autogenerate_delta": True,
            "group": "lab",
        },
    )

    assert answer.status_code == 201, answer.text
    assert world.api.get(DEPLOYMENTS).json()[0]["max_devices"] == 1


def test_a_device_named_twice_is_one_target(world: World, device: Device) -> None:
    deployment = world.deploy("two", [device.id, device.id])

    assert world.show(deployment)["max_devices"] == 1
    assert world.api.get(f"{DEPLOYMENTS}/{deployment}/device_list").json() == [device.id]


def test_any_parameter_except_retries_makes_a_different_deployment(world: World, device: Device) -> None:
    place = f"/api/management/v1/inventory/devices/{device.id}/group"
    assert world.api.put(place, json={"group": "lab"}).status_code == 204
    world.upload("three")
    first = {"devices": [device.id]}
    for body in (first, first | {"name": "b"}, first | {"artifact_name": "three"}, {"all_devices": True}):
        assert post(world, **body).status_code == 201
    assert post(world, **first, force_installation=True).status_code == 201
    grouped = {"name": "rollout", "artifact_name": "two"}
    assert world.api.post(f"{DEPLOYMENTS}/group/lab", json=grouped).status_code == 201

    for answer in (
        post(world, **first),
        post(world, **first, retries=3),
        world.api.post(f"{DEPLOYMENTS}/group/lab", json=grouped),
    ):
        assert (answer.status_code, answer.json()["error"]) == (409, TWICE)


def test_a_finished_deployment_may_be_created_again(world: World, device: Device) -> None:
    first = world.deploy("two", [device.id])
    serves(device.poll(), first)
    device.report(first, "failure")

    second = world.deploy("two", [device.id])

    serves(device.poll(), second)


def test_all_devices_means_those_accepted_at_creation(world: World, device: Device, server) -> None:
    rejected, gone = world.device(), world.device()
    shown = world.api.get(f"/api/management/v2/devauth/devices/{rejected.id}").json()
    place = f"/api/management/v2/devauth/devices/{rejected.id}/auth/{shown['auth_sets'][0]['id']}/status"
    assert world.api.put(place, json={"status": "rejected"}).status_code == 204
    assert world.api.delete(f"/api/management/v2/devauth/devices/{gone.id}").status_code == 204
    server.drain()

    deployment = world.deploy("two")

    assert world.api.get(f"{DEPLOYMENTS}/{deployment}/device_list").json() == [device.id]
    terms = [{"scope": "identity", "attribute": "status", "type": "$eq", "value": "accepted"}]
    assert world.show(deployment)["filter"]["terms"] == terms


def test_a_device_gets_more_deployments_than_its_head_holds_one_after_another(
    world: World, device: Device, monkeypatch
) -> None:
    monkeypatch.setattr(limits, "HEAD_QUEUE", 2)
    made = [world.deploy("two", [device.id], name=f"number {number}") for number in range(5)]

    for deployment in made:
        serves(device.poll(), deployment)
        assert device.report(deployment, "success").status_code == 204

    serves_nothing(device.poll())
    assert all(world.show(deployment)["status"] == "finished" for deployment in made)


def test_the_number_of_unfinished_deployments_is_limited(world: World, device: Device, monkeypatch) -> None:
    monkeypatch.setattr(limits, "OPEN_DEPLOYMENTS", 2)
    many = [device.id, *(str(uuid.uuid4()) for _ in range(limits.HEAD_DEPLOYMENT_TARGETS))]
    made = [world.deploy("two", many, name=f"number {number}") for number in range(2)]

    answer = post(world, devices=many)
    assert (answer.status_code, answer.json()["error"]) == (
        422,
        "too many unfinished deployments (max: 2); abort some or let them finish",
    )

    assert world.deploy("two", [device.id])  # it is stored elsewhere
    world.abort(made[0])
    assert world.deploy("two", many)


@pytest.mark.parametrize("targets", [5, 6, 20, 21, 400, 401])
def test_targets_are_the_same_however_they_are_stored(world: World, device: Device, targets: int) -> None:
    ids = [device.id, *(str(uuid.uuid4()) for _ in range(targets - 1))]
    deployment = world.deploy("two", ids)

    assert sorted(world.api.get(f"{DEPLOYMENTS}/{deployment}/device_list").json()) == sorted(ids)
    assert sorted(world.show(deployment)["filter"]["terms"][0]["value"]) == sorted(ids)
    serves(device.poll(), deployment)
    assert device.report(deployment, "success").status_code == 204
    assert world.numbers(deployment) == {"success": 1, "pending": targets - 1}
    world.abort(deployment)
    assert world.numbers(deployment) == {"success": 1}


def test_operators_can_set_only_the_status_aborted(world: World, device: Device) -> None:
    deployment = world.deploy("two", [device.id])
    place = f"{DEPLOYMENTS}/{deployment}/status"

    for status in ("finished", "", "ABORTED"):
        answer = world.api.put(place, json={"status": status})
        assert (answer.status_code, answer.json()["error"]) == (400, "Unexpected deployment status")
    assert world.api.put(place, json={}).status_code == 400
    answer = world.api.put(f"{DEPLOYMENTS}/x/status", json={"status": "aborted"})
    assert (answer.status_code, answer.json()["error"]) == (400, "ID is not a valid UUID")
    answer = world.api.put(f"{DEPLOYMENTS}/{uuid.uuid4()}/status", json={"status": "aborted"})
    assert (answer.status_code, answer.json()["error"]) == (422, "Deployment already finished")
    serves(device.poll(), deployment)


def test_an_abort_writes_no_device_row(world: World, device: Device, tenant) -> None:
    deployment = world.deploy("two", [device.id, world.device().id])
    serves(device.poll(), deployment)
    device.report(deployment, "installing")
    plan = plans.get(tenant.id, deployment)
    assert plan is not None
    before = rows.find(tenant.id, plan, device.id)

    world.abort(deployment)

    after = rows.find(tenant.id, plan, device.id)
    assert before is not None
    assert after is not None
    assert after == before
    shown = world.show(deployment)
    row = world.rows(deployment)[device.id]
    # The shown status of a row follows from its deployment.
    assert (row["status"], row["finished"]) == ("aborted", shown["finished"])
    # A device that never polled is not in the statistics, but still a target.
    assert (world.numbers(deployment), shown["max_devices"]) == ({"aborted": 1}, 2)


def test_other_tenants_cannot_see_the_deployment(world: World, device: Device, sign_in: SignIn) -> None:
    stranger = sign_in(service.create_tenant("Other"))
    deployment = world.deploy("two", [device.id])
    serves(device.poll(), deployment)
    place = f"{DEPLOYMENTS}/{deployment}"

    for path in ("", "/statistics", "/devices", "/devices/list", "/device_list", f"/devices/{device.id}/log"):
        assert stranger.get(place + path).status_code == 404
    assert stranger.post(f"{DEPLOYMENTS}/statistics/list", json=[deployment]).status_code == 404
    assert stranger.put(f"{place}/status", json={"status": "aborted"}).status_code == 422
    assert stranger.delete(f"{DEPLOYMENTS}/devices/{device.id}").status_code == 204
    assert stranger.delete(f"{DEPLOYMENTS}/devices/{device.id}/history").status_code == 204
    assert stranger.get(DEPLOYMENTS).json() == stranger.get(f"{DEPLOYMENTS}/devices/{device.id}").json() == []
    answer = stranger.post(DEPLOYMENTS, json={"name": "a", "artifact_name": "two", "devices": [device.id]})
    assert answer.status_code == 422
    serves(device.poll(), deployment)


def test_user_tokens_and_device_tokens_are_not_interchangeable(world: World, device: Device) -> None:
    deployment = world.deploy("two", [device.id])
    as_device = {"Authorization": f"Bearer {device.token}"}
    for path in ("", f"/{deployment}", f"/{deployment}/statistics", f"/devices/{device.id}"):
        assert world.http.get(DEPLOYMENTS + path).status_code == 401
        assert world.http.get(DEPLOYMENTS + path, headers=as_device).status_code == 401
    path = "/api/devices/v1/deployments/device/deployments"
    for client in (world.http, world.api):
        assert client.get(f"{path}/next").status_code == 401
        assert client.put(f"{path}/{deployment}/status", json={"status": "success"}).status_code == 401
        assert client.post("/api/devices/v2/deployments/device/deployments/next", json={}).status_code == 401


def test_an_empty_list_of_devices_is_treated_as_absent(world: World) -> None:
    device = world.device()
    world.upload("two")
    world.api.put(f"/api/management/v1/inventory/devices/{device.id}/group", json={"group": "g"})
    body = {"name": "rollout", "artifact_name": "two", "devices": []}

    assert world.api.post(f"{DEPLOYMENTS}/group/g", json=body | {"all_devices": False}).status_code == 201
    assert world.api.post(DEPLOYMENTS, json=body | {"all_devices": True}).status_code == 201
    assert world.api.post(DEPLOYMENTS, json=body).status_code == 400
    for chosen in ({"devices": [device.id]}, {"all_devices": True}):
        assert world.api.post(f"{DEPLOYMENTS}/group/g", json=body | {"name": "other"} | chosen).status_code == 400

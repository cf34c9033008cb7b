"""Update control maps: which are valid, what devices get, and how they are replaced."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.tenantadm import service
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.support.probe import counted

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import SignIn
    from tests.simulator.device import Device

PAUSE = {"priority": 3, "states": {"ArtifactInstall_Enter": {"action": "pause", "on_map_expire": "fail"}}}
GO_ON = {"states": {"ArtifactCommit_Enter": {"action": "continue", "on_action_executed": "force_continue"}}}


@pytest.fixture
def device(world: World) -> Device:
    world.upload("two")
    return world.device()


def of_device(device: Device, deployment: str) -> httpx2.Response:
    return device.call("GET", f"/v2/deployments/device/deployments/{deployment}/update_control_map")


def replaced(world: World, deployment: str, given: Any) -> httpx2.Response:
    return world.api.patch(f"{DEPLOYMENTS}/{deployment}", json={"update_control_map": given})


def test_a_device_that_supports_maps_gets_the_map(world: World, device: Device) -> None:
    deployment = world.deploy("two", [device.id], update_control_map=PAUSE | {"id": str(uuid.uuid4())})
    expected = PAUSE | {"id": deployment}
    assert world.show(deployment)["update_control_map"] == expected

    answer = device.poll()

    # Clients read the one at the top level; the API reference shows it in the artifact.
    assert answer.json()["update_control_map"] == serves(answer, deployment)["update_control_map"] == expected
    assert of_device(device, deployment).json() == {"update_control_map": expected}


def test_a_device_that_does_not_support_maps_gets_none(world: World, device: Device) -> None:
    deployment = world.deploy("two", [device.id], update_control_map=PAUSE)
    provides = {"artifact_name": "original", "device_type": device.device_type}
    v2 = device.call("POST", "/v2/deployments/device/deployments/next", {"device_provides": provides})
    v1 = device.call("POST", "/v1/deployments/device/deployments/next", provides)

    for answer in (v2, v1):
        assert "update_control_map" not in serves(answer, deployment)
        assert "update_control_map" not in answer.json()


def test_a_deployment_without_a_map(world: World, device: Device) -> None:
    deployment = world.deploy("two", [device.id])
    answer = device.poll()

    assert set(answer.json()) == {"id", "artifact"}
    assert of_device(device, deployment).status_code == 404
    assert replaced(world, deployment, PAUSE).status_code == 409
    assert "update_control_map" not in world.show(deployment)


def test_the_map_is_available_while_the_device_is_updating(world: World, device: Device) -> None:
    other = world.device()
    deployment = world.deploy("two", [device.id, other.id], update_control_map=PAUSE)
    assert of_device(device, deployment).status_code == 404
    assert of_device(device, str(uuid.uuid4())).status_code == 404
    assert of_device(device, "no id").status_code == 404
    serves(device.poll(), deployment)
    device.report(deployment, "pause_before_installing")
    assert of_device(device, deployment).status_code == 200
    assert of_device(other, deployment).status_code == 404

    device.report(deployment, "success")
    assert of_device(device, deployment).status_code == 404
    serves(other.poll(), deployment)
    world.abort(deployment)
    assert of_device(other, deployment).status_code == 404
    serves_nothing(other.poll())


def test_the_map_is_replaced_as_a_whole(world: World, device: Device) -> None:
    deployment = world.deploy("two", [device.id], update_control_map=PAUSE)
    serves(device.poll(), deployment)

    assert replaced(world, deployment, GO_ON).status_code == 204

    expected = {"id": deployment, "priority": 0} | GO_ON
    assert of_device(device, deployment).json()["update_control_map"] == expected
    assert device.poll().json()["update_control_map"] == expected
    assert replaced(world, deployment, {}).status_code == 204
    assert world.show(deployment)["update_control_map"] == {"id": deployment, "priority": 0, "states": {}}


@pytest.mark.parametrize(
    "given",
    [
        {"priority": 11},
        {"priority": -11},
        {"priority": "1"},
        {"id": "x"},
        {"more": 1},
        {"states": []},
        {"states": {"ArtifactRollback_Enter": {}}},
        {"states": {"ArtifactInstall_Enter": {"action": "wait"}}},
        {"states": {"ArtifactInstall_Enter": {"on_map_expire": "pause"}}},
        {"states": {"ArtifactInstall_Enter": {"more": "pause"}}},
        [],
        "pause",
    ],
)
def test_invalid_maps_are_refused(world: World, device: Device, given: Any) -> None:
    body = {"name": "a", "artifact_name": "two", "devices": [device.id], "update_control_map": given}
    assert world.api.post(DEPLOYMENTS, json=body).status_code == 400
    deployment = world.deploy("two", [device.id], update_control_map=PAUSE)
    assert replaced(world, deployment, given).status_code == 400
    assert world.show(deployment)["update_control_map"] == PAUSE | {"id": deployment}


def test_changing_the_map_of_an_unknown_deployment_gets_404(world: World, device: Device, sign_in: SignIn) -> None:
    deployment = world.deploy("two", [device.id], update_control_map=PAUSE)
    assert replaced(world, str(uuid.uuid4()), PAUSE).status_code == 404
    assert replaced(world, "x", PAUSE).status_code == 400
    assert world.api.patch(f"{DEPLOYMENTS}/{deployment}", json={}).status_code == 400
    other = service.create_tenant("Other")
    stranger = World(sign_in(other), world.http, other.tenant_token)
    assert replaced(stranger, deployment, PAUSE).status_code == 404


def test_a_plan_without_maps_refuses_them(world: World, sign_in: SignIn) -> None:
    tenant = service.create_tenant("Small", plan="professional")
    small = World(sign_in(tenant), world.http, tenant.tenant_token)
    small.upload("two")
    device = small.device()
    body = {"name": "a", "artifact_name": "two", "devices": [device.id]}
    refused = small.api.post(DEPLOYMENTS, json=body | {"update_control_map": PAUSE})
    assert (refused.status_code, "update control" in refused.json()["error"]) == (403, True)
    assert small.api.post(DEPLOYMENTS, json=body | {"update_control_map": None}).status_code == 201
    assert replaced(small, str(uuid.uuid4()), PAUSE).status_code == 403


def test_the_cost_of_reading_the_map(world: World, device: Device, warm: None) -> None:
    strangers = [str(uuid.uuid4()) for _ in range(9)]
    deployment = world.deploy("two", [device.id, *strangers], update_control_map=PAUSE)
    serves(device.poll(), deployment)
    with counted() as cost:
        serves(device.poll(), deployment)
    assert cost.calls == ["GetItem", "GetItem"]  # the device head, and the current map

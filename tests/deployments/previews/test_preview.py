"""Previews of deployments: they say what the deployment then does, refuse what it would refuse, and store nothing."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.all_routes.state import changed, state
from tests.deployments.test_dynamic import save_filter, tag
from tests.deployments.world import DEPLOYMENTS, World

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.simulator.device import Device
    from tests.support.time import Clock

PROVIDES = {"depends": {"checksum": "1"}, "other": {"checksum": "2"}}
V2 = "/api/management/v2/deployments/deployments"


def body(release: str = "two", **more: Any) -> dict[str, Any]:
    """A request for a deployment."""
    return {"name": "rollout", "artifact_name": release, **more}


def asked(world: World, wanted: dict[str, Any], path: str = DEPLOYMENTS, **params: Any) -> httpx2.Response:
    """The answer to a request for a preview."""
    return world.api.post(path, json=wanted, params={"dry_run": "true", **params})


def previewed(world: World, wanted: dict[str, Any], path: str = DEPLOYMENTS, **params: Any) -> dict[str, Any]:
    """A preview."""
    answer = asked(world, wanted, path, **params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def numbers(preview: dict[str, Any]) -> dict[str, int]:
    """The numbers of devices in the groups of a preview, without zeros."""
    return {
        name: found["devices"] for name, found in preview.items() if isinstance(found, dict) and found.get("devices")
    }


@pytest.fixture
def mixed(world: World, moment: Clock) -> dict[str, list[Device]]:
    """Devices of each kind, and a release for two of three device types, one of them with a dependency."""
    world.upload("two", ("a",), payload=bytes(range(256)) * 50)
    world.upload("two", ("b",), depends={"checksum": "1"})
    moment.move(days=-4)  # the token of the silent one is still valid
    silent = world.device(device_type="a")
    silent.inventory()
    moment.move(days=4)
    kinds = {
        "silent": [silent],
        "update": [world.device(device_type="a") for _ in range(4)],
        "depends": [world.device(device_type="b") for _ in range(2)],
        "other": [world.device(device_type="b") for _ in range(3)],
        "not shown": [world.device(device_type="b")],
        "wrong type": [world.device(device_type="c") for _ in range(2)],
        "installed": [world.device(device_type="a", artifact_name="two")],
        "no inventory": [world.device(device_type="a") for _ in range(2)],
    }
    for name, devices in kinds.items():
        for device in devices:
            if name not in {"silent", "no inventory"}:
                known = {"artifact_name": device.artifact_name, "device_type": device.device_type}
                assert device.inventory(known | PROVIDES.get(name, {})).status_code == 200
    return kinds


def test_it_says_what_the_deployment_then_does(world: World, mixed: dict[str, list[Device]]) -> None:
    preview = previewed(world, body(all_devices=True), silent_days=3)
    assert preview["devices"] == preview["devices_read"] == 16
    assert preview["complete"]
    assert numbers(preview) == {"update": 7, "already_installed": 1, "no_artifact": 5, "unknown": 3, "silent": 1}
    assert preview["silent"]["examples"] == [mixed["silent"][0].id]
    reasons = [(each["devices"], each.get("device_type"), each.get("dependency")) for each in _reasons(preview)]
    assert reasons == [
        (3, None, "checksum = 1"),
        (2, "c", None),
        (2, None, None),
        (1, None, "checksum = 1"),
    ]
    deployment, sent = world.deploy("two"), 0
    for name, devices in mixed.items():
        for device in devices:
            answer = device.poll(**PROVIDES.get(name, {}))
            if answer.status_code == 200 and name not in {"silent", "no inventory"}:
                sent += _size(world, answer.json()["artifact"]["device_types_compatible"][0])
    # One device is silent but polls in the end; those without an inventory get the update, and the one whose inventory
    # lacks the dependency does not provide it in polls either.
    assert world.numbers(deployment) == {"pending": 7 + 2, "noartifact": 5 + 1, "already-installed": 1}
    assert preview["bytes"] == sent + _size(world, "a")  # of the silent one


def _size(world: World, device_type: str) -> int:
    """The size of the artifact for a device type."""
    found = world.api.get("/api/management/v1/deployments/artifacts", params={"device_type": device_type}).json()
    (artifact,) = found
    size: int = artifact["size"]
    return size


def _reasons(preview: dict[str, Any]) -> list[dict[str, Any]]:
    return [*preview["no_artifact"]["reasons"], *preview["unknown"]["reasons"]]


def test_it_stores_nothing(world: World, mixed: dict[str, list[Device]], tenant: Tenant) -> None:
    ids = [device.id for device in world.devices]
    for device in world.devices:
        tag(world, device, "here")
    assert world.api.patch("/api/management/v1/inventory/groups/lab/devices", json=ids[:5]).status_code == 200
    chosen = save_filter(world, "tags", "place", "here")
    parent = world.deploy("two", ids[-2:])
    polled = world.devices[-1].poll().json()["id"]
    assert world.devices[-1].report(polled, "failure").status_code == 204
    before = state(tenant.id)
    phases = [{"batch_size": 50}, {}]
    rollout = {"gate": {}, "windows": [{"start_time": "02:00", "duration": "PT1H"}], "maximum_per_minute": 1}
    for wanted, path in (
        (body(all_devices=True), DEPLOYMENTS),
        (body(devices=ids, phases=phases, rollout=rollout), DEPLOYMENTS),
        (body(devices=ids[:1]), DEPLOYMENTS),
        (body(), f"{DEPLOYMENTS}/group/lab"),
        (body(filter_id=chosen), V2),
        ({}, f"{DEPLOYMENTS}/{parent}/retry"),
    ):
        assert previewed(world, wanted, path)["devices"], path
    assert changed(before, state(tenant.id)) == []


@pytest.mark.parametrize("value", ["yes", "", "2"])
def test_a_dry_run_that_is_neither_true_nor_false_creates_nothing(world: World, value: str) -> None:
    world.upload("two")
    answer = world.api.post(DEPLOYMENTS, json=body(devices=[str(uuid.uuid4())]), params={"dry_run": value})
    assert answer.status_code == 400
    assert world.api.get(DEPLOYMENTS).json() == []

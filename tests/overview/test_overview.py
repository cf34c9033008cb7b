"""The overview: each part requires its permission, and covers only the user's groups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from tests.deployments.world import World

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn
    from tests.simulator.device import Device

PATH = "/api/management/v1/console/overview"


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> World:
    return World(api, http, tenant.tenant_token)


def overview(client: httpx2.Client) -> dict[str, Any]:
    answer = client.get(PATH)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def member(world: World, group: str, **attributes: Any) -> Device:
    """A device in a group with these reported attributes."""
    device = world.device(artifact_name=attributes.get("artifact_name", "original"))
    answer = world.api.patch(f"/api/management/v1/inventory/groups/{group}/devices", json=[device.id])
    assert answer.status_code == 200, answer.text
    assert device.inventory({"device_type": "qemux86-64", **attributes}).status_code == 200
    return device


def alarm(device: Device) -> None:
    """The device sends a critical alert."""
    alert = {
        "name": "disk",
        "level": "CRITICAL",
        "subject": {"name": "disk", "type": "usage", "status": "full"},
        "timestamp": "2026-03-01T10:00:00Z",
    }
    assert device.call("POST", "/v1/devicemonitor/alert", [alert]).status_code == 204


def test_an_empty_tenant_has_an_overview(api: httpx2.Client) -> None:
    found = overview(api)

    assert found["devices"]["by_status"] == {}
    assert found["devices"]["silent"] == found["devices"]["alerting"] == {"count": 0, "devices": []}
    assert found["devices"]["software"] == []
    assert (found["deployments"]["open"], found["deployments"]["failed"]) == ([], [])
    today = datetime.now(UTC).date()
    assert [day["day"] for day in found["deployments"]["days"]] == [
        f"{today - timedelta(days=ago)}" for ago in reversed(range(14))
    ]


def test_the_overview_lists_problems(world: World) -> None:
    good = member(world, "lab", artifact_name="os-1")
    bad = member(world, "lab", artifact_name="os-1")
    member(world, "field")
    alarm(bad)
    world.upload("os-2")
    ended = world.deploy("os-2", [good.id, bad.id])
    for device, status in ((good, "success"), (bad, "failure")):
        assert device.poll().status_code == 200
        assert device.report(ended, status).status_code == 204
    current = world.deploy("os-2", [bad.id], name="again")

    found = overview(world.api)

    devices = found["devices"]
    assert devices["by_status"] == {"accepted": 3}
    assert devices["alerting"]["count"] == 1
    assert [each["id"] for each in devices["alerting"]["devices"]] == [bad.id]
    assert devices["alerting"]["devices"][0]["name"] == bad.identity["mac"]
    assert devices["silent"]["count"] == 0
    assert devices["software"] == [{"name": "os-1", "count": 2}, {"name": "", "count": 1}]
    deployments = found["deployments"]
    assert ([each["id"] for each in deployments["open"]], deployments["open_count"]) == ([current], 1)
    assert [each["id"] for each in deployments["failed"]] == [ended]
    assert deployments["days"][-1] == {
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
        "deployments": 1,
        "success": 1,
        "failure": 1,
    }


def test_silent_devices_are_listed_by_duration(world: World) -> None:
    first, second = member(world, "lab"), member(world, "lab")
    tag = [{"name": "name", "value": "Harbour"}]
    assert world.api.patch(f"/api/management/v1/inventory/devices/{first.id}/tags", json=tag).status_code == 200
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=47)):
        assert overview(world.api)["devices"]["silent"]["count"] == 0
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=49)):
        silent = overview(world.api)["devices"]["silent"]
        assert second.auth().status_code == 200
        after = overview(world.api)["devices"]["silent"]

    assert silent["count"] == 2
    assert [each["id"] for each in silent["devices"]] == [first.id, second.id]
    assert silent["devices"][0]["name"] == "Harbour"
    assert [each["id"] for each in after["devices"]] == [first.id]


def test_each_part_requires_permission_and_covers_the_users_groups(
    world: World, tenant: Tenant, sign_in: SignIn
) -> None:
    inside = member(world, "lab", artifact_name="os-1")
    outside = member(world, "field", artifact_name="os-9")
    alarm(outside)
    world.upload("os-2")
    world.deploy("os-2", [outside.id])
    own = world.deploy("os-2", [inside.id])
    role = {
        "name": "lab-only",
        "permission_sets_with_scope": [
            {"name": "ReadDevices", "scope": {"type": "DeviceGroups", "value": ["lab"]}},
            {"name": "DeployToDevices", "scope": {"type": "DeviceGroups", "value": ["lab"]}},
        ],
    }
    assert world.api.post("/api/management/v2/useradm/roles", json=role).status_code == 201

    found = overview(sign_in(tenant, "lab-only"))

    assert found["devices"]["by_status"] == {"accepted": 1}
    assert found["devices"]["alerting"] == {"count": 0, "devices": []}
    assert found["devices"]["software"] == [{"name": "os-1", "count": 1}]
    assert [each["id"] for each in found["deployments"]["open"]] == [own]
    uploads = {"name": "uploads", "permission_sets_with_scope": [{"name": "UploadArtifacts"}]}
    assert world.api.post("/api/management/v2/useradm/roles", json=uploads).status_code == 201
    assert overview(sign_in(tenant, "uploads")) == {}


def test_an_unchanged_overview_gets_304(world: World) -> None:
    member(world, "lab")
    first = world.api.get(PATH)

    again = world.api.get(PATH, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    member(world, "lab")
    assert world.api.get(PATH, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200
    assert world.api.get(PATH, headers={"If-None-Match": f'W/"other", W/{first.headers["ETag"]}'}).status_code == 200

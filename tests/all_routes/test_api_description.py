"""Every operation answers as described in the OpenAPI document: status, media type and body.

A 304 is described for exactly the operations that support conditional requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.all_routes.table import routes
from tests.deployments.world import World
from tests.support.api_description import Checker, document, install, operations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer

ENDS_SESSIONS = "/auth/logout"
ELSEWHERE = {"logoutV1", "downloadFileV1", "uploadFileV1"}
"""Operations that are not called here, or that the relay serves."""


@pytest.fixture
def checker() -> Iterator[Checker]:
    made = Checker(document())
    patch = install(made)
    yield made
    patch.undo()


def known_values(world: World) -> dict[str, dict[str, str]]:
    """Existing values of path variables, by the part of the path before them."""
    device = world.api.get("/api/management/v2/devauth/devices").json()[0]
    world.upload("described")
    artifact = world.api.get("/api/management/v1/deployments/artifacts").json()[0]["id"]
    user = world.api.get("/api/management/v1/useradm/users").json()[0]["id"]
    deployment = world.deploy("described", [device["id"]])
    world.api.put(f"/api/management/v1/inventory/devices/{device['id']}/group", json={"group": "lab"})
    for_devices = {"id": device["id"], "deviceId": device["id"], "aid": device["auth_sets"][0]["id"]}
    return {
        "/artifacts/": {"id": artifact},
        "/deployments/deployments/releases": {"name": "described"},
        "/deployments/deployments/devices": {"id": device["id"]},
        "/deployments/deployments/": {"id": deployment, "device_id": device["id"]},
        "/devauth/": for_devices,
        "/deviceconfig/": for_devices,
        "/deviceconnect/devices": for_devices,
        "/devicemonitor/": for_devices,
        "/groups/": {"name": "lab"},
        "/inventory/devices": for_devices,
        "/iot-manager/": for_devices,
        "/roles/": {"id": "RBAC_ROLE_PERMIT_ALL"},
        "/users/": {"id": user},
    }


def test_every_operation_answers_as_described(
    server: LocalServer, api: httpx2.Client, http: httpx2.Client, tenant: Tenant, checker: Checker
):
    world = World(api, http, tenant.tenant_token)
    device = world.device()
    existing = known_values(world)
    described = [each for each in routes(server.app) if not each.spec.path.startswith("/ui")]
    token = {"Authorization": f"Bearer {device.token}"}

    for route in sorted(described, key=lambda each: (each.spec.method != "GET", each.name)):
        if route.spec.path.endswith(ENDS_SESSIONS):
            continue
        values = next((found for place, found in existing.items() if place in route.spec.path), {})
        for client, headers in ((http, {}), (api, {}), (http, token)):
            if route.spec.method == "GET":
                route.call(client, values, headers=headers)
                route.call(client, values, headers=headers | {"If-None-Match": "*"})
            else:
                route.call(client, headers=headers, body={})
            route.call(client, headers=headers)

    assert checker.take() == []
    ids = {each["operationId"] for path in document()["paths"].values() for each in path.values()}
    assert ids - {name for name, _ in checker.answers} == ELSEWHERE
    unchanged = {name for name, status in checker.answers if status == 304}
    assert unchanged == {told["operationId"] for _, _, told in operations(document()) if "304" in told["responses"]}
    assert sum(status == 200 for _, status in checker.answers) > 70

"""What tests of approvals do and look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.deployments.world import DEPLOYMENTS, World

if TYPE_CHECKING:
    import httpx2

    from tests.simulator.device import Device


SETTINGS = "/api/management/v2/tenantadm/settings"
LOGS = "/api/management/v1/auditlogs/logs"
ME = "/api/management/v1/useradm/users/me"


def demand(world: World, **settings: Any) -> None:
    """Set for which deployments the tenant demands approval."""
    answer = world.api.put(SETTINGS, json=settings)
    assert answer.status_code == 204, answer.text


def decide(api: httpx2.Client, deployment: str, comment: str = "", *, approve: bool = True) -> httpx2.Response:
    return api.post(f"{DEPLOYMENTS}/{deployment}/approval", json={"approve": approve, "comment": comment})


def state(world: World, deployment: str) -> str | None:
    """The state of a deployment's approval; None if it needs none."""
    shown: dict[str, Any] = world.show(deployment).get("approval", {})
    return shown.get("state")


def grouped(world: World, name: str, *devices: Device) -> None:
    place = f"/api/management/v1/inventory/groups/{name}/devices"
    assert world.api.patch(place, json=[device.id for device in devices]).is_success


def entries(world: World, deployment: str) -> list[tuple[str, str]]:
    """Action and change of the audit entries of a deployment; its creation comes first."""
    found = world.api.get(LOGS, params={"object_type": "deployment", "per_page": 500}).json()
    mine = [(each["action"], each.get("change", "")) for each in found if each["object"]["id"] == deployment]
    return sorted(mine, key=lambda entry: entry[0] != "create")

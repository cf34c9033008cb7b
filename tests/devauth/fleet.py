"""Helpers for tests of devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

    from tests.simulator.device import Device

DEVICES = "/api/management/v2/devauth/devices"


def device_path(device_id: str) -> str:
    """The path of a device in the management API."""
    return f"{DEVICES}/{device_id}"


def find(api: httpx2.Client, device: Device) -> dict[str, Any]:
    """The device as shown to operators, found by its identity."""
    found: list[dict[str, Any]] = api.get(DEVICES, params={"per_page": 500}).json()
    return next(item for item in found if item["identity_data"] == device.identity)


def set_of(api: httpx2.Client, device: Device) -> tuple[str, str]:
    """Device id, and id of the auth set with the device's current key."""
    known = find(api, device)
    return known["id"], next(item["id"] for item in known["auth_sets"] if item["pubkey"] == device.pubkey)


def decide(api: httpx2.Client, device: Device, status: str) -> httpx2.Response:
    """An operator sets the status of the device's current key."""
    device_id, set_id = set_of(api, device)
    return api.put(f"{DEVICES}/{device_id}/auth/{set_id}/status", json={"status": status})


def accept(api: httpx2.Client, device: Device) -> None:
    """The device requests authentication, is accepted, and gets its token."""
    assert device.auth().status_code == 401
    answer = decide(api, device, "accepted")
    assert answer.status_code == 204, answer.text
    answer = device.auth()
    assert answer.status_code == 200, answer.text

"""Helpers for tests of the inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

INVENTORY = "/api/management/v1/inventory"
DEVICES = f"{INVENTORY}/devices"
GROUPS = f"{INVENTORY}/groups"
FILTERS = "/api/management/v2/inventory/filters"
SEARCH = f"{FILTERS}/search"


def path(device_id: str, rest: str = "") -> str:
    """The path of a device."""
    return f"{DEVICES}/{device_id}{rest}"


def values(api: httpx2.Client, device_id: str, scope: str = "inventory") -> dict[str, Any]:
    """A device's attributes in a scope."""
    answer = api.get(path(device_id))
    assert answer.status_code == 200, answer.text
    return {item["name"]: item["value"] for item in answer.json()["attributes"] if item["scope"] == scope}


def ids(answer: httpx2.Response) -> list[str]:
    """Ids of the devices in an answer."""
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()]

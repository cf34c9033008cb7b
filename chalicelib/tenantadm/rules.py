"""What a tenant may be. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from chalicelib import features, limits
from chalicelib.errors import BadRequest


class Status(StrEnum):
    """Whether a tenant may be used."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


def default_addons() -> list[dict[str, Any]]:
    """The add-ons of a new tenant: all there are, enabled."""
    return [{"name": name, "enabled": True} for name in features.ADDONS]


def check_new(name: str, plan: str) -> None:
    """Judge what a tenant is to be called and get.

    Raises:
        BadRequest: no name, a name that is too long, or a plan that does not exist.
    """
    if not name.strip() or len(name) > limits.TENANT_NAME:
        raise BadRequest(f"name: must be between 1 and {limits.TENANT_NAME} characters long")
    if plan not in features.PLANS:
        raise BadRequest(f"plan: must be one of {', '.join(features.PLANS)}")


def check_limits(max_devices: int | None, storage_limit: int | None) -> None:
    """Judge limits; None is no change.

    Raises:
        BadRequest: a limit is below what has a meaning (-1 devices: no limit; 0 bytes: no limit).
    """
    if max_devices is not None and max_devices < -1:
        raise BadRequest("max_devices: must be -1 (no limit) or more")
    if storage_limit is not None and storage_limit < 0:
        raise BadRequest("storage_limit: must be 0 (no limit) or more")

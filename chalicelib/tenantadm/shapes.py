"""What travels on the wire."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class DeviceLimit(msgspec.Struct):
    """How many accepted devices of a tier a tenant has and may have; -1: no limit."""

    name: str
    tenant_id: str
    current_value: int
    value: int


class Tenant(msgspec.Struct):
    """A tenant as its users see it. ``device_limit`` -1: no limit. Times are RFC 3339."""

    id: str
    name: str
    status: str
    plan: str
    addons: list[dict[str, Any]]
    created_at: str
    updated_at: str
    device_count: int
    device_limit: int
    trial: bool = False
    service_provider: bool = False
    tenant_token: str | UnsetType = UNSET
    device_limits: dict[str, DeviceLimit] | UnsetType = UNSET

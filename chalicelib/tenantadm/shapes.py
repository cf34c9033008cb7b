"""The wire format of tenants. Unknown members of requests are ignored."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class DeviceLimit(msgspec.Struct):
    """The number and the limit of a tenant's accepted devices of a tier; -1 means no limit."""

    name: str
    tenant_id: str
    current_value: int
    value: int


class Tenant(msgspec.Struct):
    """A tenant in answers. ``device_limit`` -1 means no limit. Times are RFC 3339."""

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
    trial_expiration: str | UnsetType = UNSET
    parent_tenant_id: str | UnsetType = UNSET
    additional_info: dict[str, Any] | UnsetType = UNSET
    tenant_token: str | UnsetType = UNSET
    device_limits: dict[str, DeviceLimit] | UnsetType = UNSET
    removing: bool | UnsetType = UNSET
    """True while its data is being erased, which takes a quarter of an hour or longer. Not part of Mender's API."""


class NewLimit(msgspec.Struct):
    """A limit of a child. The API requires its name, which its position gives already."""

    value: int


class NewLimits(msgspec.Struct):
    """Limits of a child; missing ones are kept."""

    max_devices: NewLimit | None = None
    max_micro_devices: NewLimit | None = None
    max_system_devices: NewLimit | None = None


class Admin(msgspec.Struct):
    """The first user of a new tenant."""

    email: str = ""
    password: str = ""
    login: dict[str, Any] | None = None
    send_reset_password: bool = False


class NewTenant(msgspec.Struct):
    """``POST v2 tenants``: a child of the calling service provider."""

    name: str = ""
    admin: Admin = msgspec.field(default_factory=Admin)
    users: list[Any] | None = None
    device_limit: int | None = None
    device_limits: NewLimits | None = None
    binary_delta: bool = False
    sso: bool = False


class ChildUpdate(msgspec.Struct):
    """``PUT tenants/{id}/child``."""

    name: str | None = None
    device_limit: int | None = None
    device_limits: NewLimits | None = None


class SignUp(msgspec.Struct):
    """``POST tenants/signup`` and ``tenants/trial``. The captcha is ignored, because there is none."""

    organization: str = ""
    email: str = ""
    password: str = ""
    name: str = ""
    plan: str = ""
    campaign: str = ""
    marketing: bool = False
    subscription_type: str = ""


class NewStatus(msgspec.Struct):
    """``PUT tenants/{id}/status``."""

    status: str = ""


class Cancellation(msgspec.Struct):
    """``POST tenants/{id}/cancel``."""

    reason: str = ""


class PlanRequest(msgspec.Struct):
    """``POST tenants/{id}/plan``: a request for another plan."""

    current_plan: str = ""
    requested_plan: str = ""
    current_addons: str = ""
    requested_addons: str = ""
    user_message: str = ""


def device_limits(body: NewTenant | ChildUpdate) -> dict[str, int | None]:
    """The limits in a body; those by tier take precedence over the single one."""
    single: dict[str, int | None] = {"max_devices": body.device_limit}
    if body.device_limits is None:
        return single
    by_tier = msgspec.structs.asdict(body.device_limits)
    return single | {name: limit.value for name, limit in by_tier.items() if limit is not None}


class TenantIds(msgspec.Struct):
    """``POST users/{id}/assign``."""

    tenant_ids: list[str]
    role: str = ""


class Exists(msgspec.Struct):
    """``GET users/exists``."""

    exists: bool

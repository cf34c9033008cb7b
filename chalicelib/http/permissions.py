"""What a user may be allowed to do. One name a right, ``<area>:<action>``; keep the list alphabetical."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """A right that a management route asks for. ``BASIC`` is every signed-in user's (own data, own session)."""

    ARTIFACTS_UPLOAD = "artifacts:upload"
    AUDIT_READ = "audit:read"
    BASIC = "basic:use"
    CONFIGURATION_MANAGE = "configuration:manage"
    DEPLOYMENTS_MANAGE = "deployments:manage"
    DEPLOYMENTS_READ = "deployments:read"
    DEVICES_CONNECT = "devices:connect"
    DEVICES_MANAGE = "devices:manage"
    DEVICES_READ = "devices:read"
    INTEGRATIONS_MANAGE = "integrations:manage"
    INTEGRATIONS_READ = "integrations:read"
    RELEASES_MANAGE = "releases:manage"
    RELEASES_READ = "releases:read"
    TENANTS_MANAGE = "tenants:manage"
    TENANTS_READ = "tenants:read"
    TOKENS_MANAGE = "tokens:manage"
    USERS_MANAGE = "users:manage"

"""What a user may be allowed to do. One name a right, ``<area>:<action>``; keep the list alphabetical."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """A right that a management route asks for. ``BASIC`` is every signed-in user's (own data, own session)."""

    ARTIFACTS_UPLOAD = "artifacts:upload"
    BASIC = "basic:use"
    DEPLOYMENTS_MANAGE = "deployments:manage"
    DEPLOYMENTS_READ = "deployments:read"
    DEVICES_MANAGE = "devices:manage"
    DEVICES_READ = "devices:read"
    RELEASES_MANAGE = "releases:manage"
    RELEASES_READ = "releases:read"
    TOKENS_MANAGE = "tokens:manage"
    USERS_MANAGE = "users:manage"

"""The wire format of roles and permission sets. Unknown members of requests are ignored."""

from __future__ import annotations

import msgspec


class Target(msgspec.Struct):
    """The object of a permission: ``DEVICE_GROUP`` and a name, an HTTP method and a path, or ``any``."""

    type: str = ""
    value: str = ""


class Permission(msgspec.Struct):
    """A permission as the API names it: ``http``, ``CREATE_DEPLOYMENT``, ..."""

    action: str
    object: Target


class Scope(msgspec.Struct):
    """The scope of a permission set in a role: ``DeviceGroups`` or ``ReleaseTags``, and their names."""

    type: str = ""
    value: list[str] = []


class ScopedSet(msgspec.Struct, omit_defaults=True):
    """A permission set in a role."""

    name: str
    scope: Scope | None = None


class Role(msgspec.Struct):
    """A role. A change without a name keeps the one in the path."""

    name: str = ""
    description: str = ""
    permissions: list[Permission] | None = None
    permission_sets_with_scope: list[ScopedSet] | None = None


class PermissionSet(msgspec.Struct):
    """A permission set. ``action`` and ``object`` are descriptions for people."""

    name: str = ""
    action: str = ""
    object: str = ""
    description: str = ""
    permissions: list[Permission] | None = None
    supported_scope_types: list[str] | None = None

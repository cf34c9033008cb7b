"""The wire format. Unknown members are ignored on the way in, so nothing but these can be set."""

from __future__ import annotations

import msgspec


class Target(msgspec.Struct):
    """What a permission is for: ``DEVICE_GROUP`` and its name, an HTTP method and a path, or ``any``."""

    type: str = ""
    value: str = ""


class Permission(msgspec.Struct):
    """A permission in the API's own words: ``http``, ``CREATE_DEPLOYMENT``, ..."""

    action: str
    object: Target


class Scope(msgspec.Struct):
    """Where a permission set of a role holds: ``DeviceGroups`` or ``ReleaseTags``, and their names."""

    type: str = ""
    value: list[str] = []


class ScopedSet(msgspec.Struct, omit_defaults=True):
    """A permission set in a role."""

    name: str
    scope: Scope | None = None


class Role(msgspec.Struct):
    """A role. A name that is left out of a change is the path's."""

    name: str = ""
    description: str = ""
    permissions: list[Permission] | None = None
    permission_sets_with_scope: list[ScopedSet] | None = None


class PermissionSet(msgspec.Struct):
    """A permission set. ``action`` and ``object`` are for people."""

    name: str = ""
    action: str = ""
    object: str = ""
    description: str = ""
    permissions: list[Permission] | None = None
    supported_scope_types: list[str] | None = None

"""Roles and permission sets: which are valid, which are built in, and the rights that they give. Pure functions.

Source: ``docs/behaviour.md#roles`` and the OpenAPI files. ``docs/roles.md`` is generated from the tables here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from chalicelib import limits
from chalicelib.errors import BadRequest
from chalicelib.rights import EVERYWHERE, Calls, Grant, Permission, Scope
from chalicelib.roles import shapes
from chalicelib.roles.shapes import PermissionSet, Role, ScopedSet

GROUPS: Final = "DeviceGroups"
TAGS: Final = "ReleaseTags"
PERMIT_ALL: Final = "RBAC_ROLE_PERMIT_ALL"
_NAME = re.compile(r"[^\s/]([^/\x00-\x1f\x7f]*[^\s/])?")
_METHODS = {"any", "DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"}
_API = "/api/"
"""The beginning of every path of the API."""
_ANY_PATH = ".*"
_PATH = re.compile(r"[A-Za-z0-9/_.~%:@-]*")
P = Permission
_DEPLOYMENTS = frozenset({P.DEPLOYMENTS_APPROVE, P.DEPLOYMENTS_READ, P.DEPLOYMENTS_MANAGE})

SETS: Final[Mapping[str, frozenset[Permission]]] = {
    "SuperUser": frozenset(Permission),
    "Basic": frozenset({P.BASIC}),
    "ReadDevices": frozenset({P.DEVICES_READ, P.DEPLOYMENTS_READ}),
    "ManageDevices": frozenset({P.DEVICES_READ, P.DEPLOYMENTS_READ, P.DEVICES_MANAGE}),
    "ManageAcceptance": frozenset({P.DEVICES_READ, P.DEPLOYMENTS_READ, P.DEVICES_MANAGE, P.ACCEPTANCE_MANAGE}),
    "DeployToDevices": frozenset({P.DEPLOYMENTS_READ, P.DEPLOYMENTS_MANAGE}),
    "ApproveDeployments": frozenset({P.DEPLOYMENTS_READ, P.DEPLOYMENTS_APPROVE}),
    "ConfigureDevices": frozenset({P.DEVICES_READ, P.CONFIGURATION_MANAGE}),
    "ConnectToDevices": frozenset({P.DEVICES_READ, P.DEVICES_CONNECT}),
    "ReadReleases": frozenset({P.RELEASES_READ}),
    "ManageReleases": frozenset({P.RELEASES_READ, P.RELEASES_MANAGE}),
    "UploadArtifacts": frozenset({P.ARTIFACTS_UPLOAD}),
    "ReadAuditLogs": frozenset({P.AUDIT_READ}),
    "ReadUsers": frozenset({P.USERS_READ}),
    "ManageUsers": frozenset({P.USERS_READ, P.USERS_MANAGE}),
    "ManageTokens": frozenset({P.TOKENS_MANAGE}),
    "ReadTenants": frozenset({P.TENANTS_READ}),
    "ManageTenants": frozenset({P.TENANTS_READ, P.TENANTS_MANAGE}),
}
"""The built-in permission sets and their permissions."""

_SHOWN: Final = {
    "SuperUser": ("Any", "Any", "Everything that the tenant can do"),
    "Basic": ("Use", "Own account", "One's own account, settings and session; every user has it"),
    "ReadDevices": ("Read", "Devices", "See devices, what they report, and their deployments"),
    "ManageDevices": ("Manage", "Devices", "See, accept, reject, group, tag and decommission devices"),
    "ManageAcceptance": ("Manage", "Acceptance rules", "See and manage devices, and the rules that accept them"),
    "DeployToDevices": ("Deploy", "Devices", "See, create and abort deployments"),
    "ApproveDeployments": ("Approve", "Deployments", "See deployments; approve or reject those of other users"),
    "ConfigureDevices": ("Configure", "Devices", "See devices; set and deploy their configuration"),
    "ConnectToDevices": ("Connect", "Devices", "See devices; open terminals and transfer files"),
    "ReadReleases": ("Read", "Releases", "See releases and artifacts, and download them"),
    "ManageReleases": ("Manage", "Releases", "See, describe, tag and delete releases and artifacts"),
    "UploadArtifacts": ("Upload", "Artifacts", "Upload artifacts"),
    "ReadAuditLogs": ("Read", "Audit logs", "See and export the audit log"),
    "ReadUsers": ("Read", "Users", "See the users of the tenant"),
    "ManageUsers": ("Manage", "Users", "See and manage users and roles, up to one's own rights"),
    "ManageTokens": ("Manage", "Tokens", "Create personal access tokens of one's own"),
    "ReadTenants": ("Read", "Tenants", "See the tenants of a service provider"),
    "ManageTenants": ("Manage", "Tenants", "See and manage the tenants of a service provider"),
}

SCOPES: Final = {
    GROUPS: frozenset(
        {
            "ReadDevices",
            "ManageDevices",
            "DeployToDevices",
            "ApproveDeployments",
            "ConfigureDevices",
            "ConnectToDevices",
        }
    ),
    TAGS: frozenset({"ReadReleases", "ManageReleases"}),
}
"""The built-in sets that a role can limit to device groups or to release tags."""


def _role(name: str, description: str, *sets: str) -> Role:
    return Role(name, description, [], [ScopedSet(each) for each in sets])


ROLES: Final[Mapping[str, Role]] = {
    role.name: role
    for role in (
        _role(PERMIT_ALL, "Everything", "SuperUser"),
        _role("RBAC_ROLE_OBSERVER", "Sees devices, deployments and releases", "Basic", "ReadDevices", "ReadReleases"),
        _role(
            "RBAC_ROLE_CI",
            "For build systems: uploads and manages releases, sees devices",
            "Basic",
            "ReadDevices",
            "ManageReleases",
            "UploadArtifacts",
            "ManageTokens",
        ),
        _role(
            "RBAC_ROLE_DEPLOYMENTS_MANAGER",
            "Sees devices and releases, creates and aborts deployments",
            "Basic",
            "ReadDevices",
            "ReadReleases",
            "DeployToDevices",
        ),
        _role(
            "RBAC_ROLE_DEPLOYMENTS_APPROVER",
            "Sees devices and releases, approves or rejects deployments of other users",
            "Basic",
            "ReadDevices",
            "ReadReleases",
            "ApproveDeployments",
        ),
        _role(
            "RBAC_ROLE_REMOTE_TERMINAL",
            "Sees devices, opens terminals and transfers files",
            "Basic",
            "ReadDevices",
            "ConnectToDevices",
        ),
    )
}
"""The built-in roles."""

BUILT_IN: Final[Mapping[str, PermissionSet]] = {
    name: PermissionSet(
        name, *_SHOWN[name], permissions=[], supported_scope_types=[kind for kind in SCOPES if name in SCOPES[kind]]
    )
    for name in SETS
}
"""The built-in permission sets as the API shows them."""

_OLD: Final = {
    "CREATE_DEPLOYMENT": "DeployToDevices",
    "MANAGE_DEVICE": "ManageDevices",
    "REMOTE_TERMINAL": "ConnectToDevices",
    "VIEW_DEVICE": "ReadDevices",
}
"""The permissions of older roles, each for one ``DEVICE_GROUP`` or ``any``, and the equivalent permission set."""


def grants_of(role: Role, sets: Mapping[str, PermissionSet]) -> tuple[Grant, ...]:
    """The rights of a role. ``sets`` are the tenant's own permission sets."""
    scoped = role.permission_sets_with_scope or []
    tags = _tags_of(scoped)
    grants: list[Grant] = []
    for each in scoped:
        scope = _scope(each)
        if each.name not in SETS:
            grants += grants_of_set(sets[each.name], scope) if each.name in sets else ()
            continue
        deployments = SETS[each.name] & _DEPLOYMENTS
        grants.append(Grant(SETS[each.name] - deployments, scope=scope))
        grants.append(Grant(deployments, scope=Scope(scope.groups, tags)))
    grants += [_of_permission(permission, EVERYWHERE) for permission in role.permissions or ()]
    return tuple(grant for grant in grants if grant.permissions or grant.calls)


def grants_of_set(own: PermissionSet, scope: Scope = EVERYWHERE) -> tuple[Grant, ...]:
    """The rights of one of the tenant's own permission sets."""
    return tuple(_of_permission(permission, scope) for permission in own.permissions or ())


def _scope(each: ScopedSet) -> Scope:
    if each.scope is None:
        return EVERYWHERE
    names = frozenset(each.scope.value)
    return Scope(groups=names) if each.scope.type == GROUPS else Scope(release_tags=names)


def _tags_of(scoped: Iterable[ScopedSet]) -> frozenset[str] | None:
    """The tags to which a role's view of releases is limited. It can deploy these releases and no others.

    A role without permissions on releases can deploy any release by name.
    """
    reading = [_scope(each).release_tags for each in scoped if P.RELEASES_READ in SETS.get(each.name, ())]
    tags = [each for each in reading if each is not None]
    return frozenset[str]().union(*tags) if tags and len(tags) == len(reading) else None


def _of_permission(permission: shapes.Permission, scope: Scope) -> Grant:
    kind, value = permission.object.type, permission.object.value
    calls = Calls(_method(kind), _path(value))
    if permission.action == "any" or (permission.action == "http" and calls == Calls("any", _ANY_PATH)):
        return Grant(frozenset(Permission), scope=scope)
    if permission.action == "http":
        return Grant(calls=(calls,), scope=scope)
    granted = SETS[_OLD[permission.action]]
    return Grant(granted, scope=EVERYWHERE if kind == "any" else Scope(frozenset({value})))


def check_role(role: Role, sets: Mapping[str, PermissionSet]) -> Role:
    """A role in its stored form. ``sets`` are the tenant's own permission sets.

    Raises:
        BadRequest: a name, a number, a permission, a set or its scope is not valid.
    """
    _check_texts(role.name, role.description)
    scoped = role.permission_sets_with_scope or []
    permissions = role.permissions or []
    if len(scoped) + len(permissions) > limits.ROLE_PARTS:
        raise BadRequest(f"a role may have at most {limits.ROLE_PARTS} permissions and permission sets")
    for permission in permissions:
        _check_permission(permission, {"any", "http", *_OLD})
    return Role(role.name, role.description, permissions, [_checked(each, sets) for each in scoped])


def _checked(each: ScopedSet, sets: Mapping[str, PermissionSet]) -> ScopedSet:
    known = BUILT_IN.get(each.name) or sets.get(each.name)
    if known is None:
        raise BadRequest(f"permission_sets_with_scope: there is no permission set {each.name[: limits.ROLE_NAME]}")
    if each.scope is None or not (each.scope.type or each.scope.value):
        return ScopedSet(each.name)
    kind, names = each.scope.type, each.scope.value
    if kind not in (known.supported_scope_types or ()):
        raise BadRequest(f"permission_sets_with_scope: {each.name} has no scope of type {kind[:64]}")
    if not 0 < len(names) <= limits.SCOPE_NAMES:
        raise BadRequest(f"permission_sets_with_scope: a scope has 1 to {limits.SCOPE_NAMES} names")
    if any(not name or len(name) > limits.RELEASE_TAG for name in names):
        raise BadRequest("permission_sets_with_scope: a name in a scope is empty or too long")
    # Tags are stored in lower case.
    return ScopedSet(each.name, shapes.Scope(kind, [name.lower() if kind == TAGS else name for name in names]))


def check_set(wanted: PermissionSet, _sets: Mapping[str, PermissionSet]) -> PermissionSet:
    """A permission set in its stored form.

    Raises:
        BadRequest: a name, a number, a permission or a type of scope is not valid.
    """
    _check_texts(wanted.name, wanted.description, wanted.action, wanted.object)
    if wanted.permissions is None:
        raise BadRequest("permissions: cannot be blank")
    if len(wanted.permissions) > limits.ROLE_PARTS:
        raise BadRequest(f"permissions: at most {limits.ROLE_PARTS} are allowed")
    for permission in wanted.permissions:
        _check_permission(permission, {"any", "http"})
    kinds = list(dict.fromkeys(wanted.supported_scope_types or ()))
    if not set(kinds) <= set(SCOPES):
        raise BadRequest(f"supported_scope_types: must be among {', '.join(SCOPES)}")
    return PermissionSet(
        wanted.name, wanted.action, wanted.object, wanted.description, wanted.permissions, supported_scope_types=kinds
    )


def _check_texts(name: str, *others: str) -> None:
    if len(name) > limits.ROLE_NAME or not _NAME.fullmatch(name):
        raise BadRequest(f"name: must be 1 to {limits.ROLE_NAME} characters, without slashes")
    if any(len(text) > limits.ROLE_DESCRIPTION for text in others):
        raise BadRequest(f"description: must be at most {limits.ROLE_DESCRIPTION} characters")


def _check_permission(permission: shapes.Permission, actions: Iterable[str]) -> None:
    kind, value = permission.object.type, permission.object.value
    if permission.action not in actions:
        raise BadRequest(f"permissions: unknown action {permission.action[:64]}")
    if permission.action == "http":
        if _method(kind) not in _METHODS:
            raise BadRequest(f"permissions: object.type must be an HTTP method or any, not '{kind[:64]}'")
        if len(value) > limits.ROLE_PATH or not _PATH.fullmatch(_path(value).replace(_ANY_PATH, "")):
            raise BadRequest("permissions: a path must be literal text; the only wildcard is .*")
        if not _can_match(_path(value)):
            raise BadRequest(f"permissions: no path of the API matches '{value[:64]}': they all begin with {_API}")
    elif permission.action == "any" and (kind, value) != ("any", "any"):
        raise BadRequest("permissions: the action any needs an object of type any with the value any")
    elif permission.action in _OLD and kind not in {"any", "DEVICE_GROUP"}:
        raise BadRequest(f"permissions: {permission.action} needs an object of type DEVICE_GROUP or any")
    elif permission.action in _OLD and kind == "DEVICE_GROUP" and not 0 < len(value) <= limits.GROUP_NAME:
        raise BadRequest("permissions: DEVICE_GROUP needs the name of a group")


def _method(kind: str) -> str:
    return "any" if kind.lower() in {"any", ".*"} else kind.upper()


def _path(value: str) -> str:
    """A path in a permission. It may begin and end with anchors; it always matches as a whole."""
    return _ANY_PATH if value == "any" else value.removeprefix("^").removesuffix("$")


def _can_match(path: str) -> bool:
    """Whether a path of the API can match: a permission that never matches is a mistake."""
    literal, wildcard, _ = path.partition(_ANY_PATH)
    return literal.startswith(_API) or (bool(wildcard) and _API.startswith(literal))

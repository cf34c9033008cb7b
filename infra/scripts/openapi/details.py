"""Details that the shapes' types do not have: formats, possible values of texts, examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chalicelib import features
from chalicelib.artifacts import shapes as artifacts
from chalicelib.auditlogs import shapes as auditlogs
from chalicelib.console import shapes as console
from chalicelib.deployments import shapes as deployments
from chalicelib.deployments.rules import statuses
from chalicelib.deployments.shapes import devices as device_deployments
from chalicelib.devauth import shapes as devauth
from chalicelib.devauth.rules import acceptance, sets
from chalicelib.deviceconfig import shapes as deviceconfig
from chalicelib.deviceconnect import shapes as deviceconnect
from chalicelib.inventory import shapes as inventory
from chalicelib.overview import shapes as overview
from chalicelib.rights import Permission
from chalicelib.roles import shapes as roles
from chalicelib.tenantadm import shapes as tenantadm
from chalicelib.tiers import Tier
from chalicelib.useradm import shapes as useradm

if TYPE_CHECKING:
    from collections.abc import Iterable

Schema = dict[str, Any]


def _one_of(values: Iterable[str]) -> Schema:
    return {"enum": [str(each) for each in values]}


_TIERS: Final = _one_of(Tier)
_SETS: Final = _one_of(each for each in sets.Status if each is not sets.Status.NOAUTH)
_IDENTITY: Final[Schema] = {"type": "object", "additionalProperties": True, "examples": [{"mac": "02:12:61:13:42:41"}]}
_SCOPES: Final = _one_of(["DeviceGroups", "ReleaseTags"])
_ROWS: Final = _one_of(statuses.Status)

KEYS: Final = "keys"
"""Instead of ``properties``: the names of members that all have the type of the shape."""
_TEXT: Final[Schema] = {"type": "string"}
_ANYTHING: Final[Schema] = {"type": "object", "additionalProperties": True}


def _members(required: Schema, optional: Schema | None = None) -> Schema:
    """An object by its members."""
    said = {"properties": required | (optional or {})}
    return said | {"required": list(required)} if required else said


_OBJECTS: Final[Schema] = {
    str(each): _ANYTHING | {"description": f"Further members of objects of the type `{each}`."}
    for each in auditlogs.ObjectType
}
_ACTIONS: Final = _TEXT | _one_of(["continue", "force_continue", "pause", "fail"])
_STATE: Final[Schema] = {
    "type": "object",
    **_members(
        {},
        {
            "action": _ACTIONS | {"description": "What to do before the state."},
            "on_map_expire": _TEXT | _one_of(["continue", "force_continue", "fail"]),
            "on_action_executed": _ACTIONS,
        },
    ),
}
_CONTROL_MAP: Final = _members(
    {},
    {
        "id": _TEXT | {"description": "The deployment's id."},
        "priority": {"type": "integer", "minimum": -10, "maximum": 10},
        "states": {
            "type": "object",
            "description": "By the state that the client is about to enter.",
            **_members(
                {}, dict.fromkeys(["ArtifactInstall_Enter", "ArtifactReboot_Enter", "ArtifactCommit_Enter"], _STATE)
            ),
        },
    },
)
_STATISTICS: Final[Schema] = {KEYS: list(map(str, statuses.Status))}
_VALUE: Final[Schema] = {
    "anyOf": [
        _TEXT,
        {"type": "number"},
        {"type": "boolean"},  # of the server's own: alerts of the scope "monitor"
        {"type": "array", "items": _TEXT},
        {"type": "array", "items": {"type": "number"}},
    ]
}
_OPERATORS: Final = _one_of(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$regex", "$ltne"])
_TERMS: Final = {
    "type": "array",
    "items": {
        "type": "object",
        **_members({"scope": _TEXT, "attribute": _TEXT, "type": _TEXT | _OPERATORS, "value": {}}),
    },
}

VALUES: Final[dict[tuple[type, str], Schema]] = {
    (artifacts.Software, "kind"): _one_of(["release"]),
    (artifacts.Verdict, "status"): _one_of(["pending", "verifying", "accepted", "refused"]),
    (auditlogs.Actor, "type"): _one_of(["user", "device", "system"]),
    (artifacts.Verdict, "refusal"): _members(
        {"status": {"type": "integer"}, "error": _TEXT},
        {"request_id": _TEXT, "metadata": _ANYTHING},
    ),
    (auditlogs.AuditLog, "action"): _one_of(auditlogs.Action),
    (auditlogs.AuditLog, "object"): _members({"id": _TEXT, "type": _one_of(auditlogs.ObjectType) | _TEXT}, _OBJECTS),
    (device_deployments.ControlMap, "update_control_map"): _CONTROL_MAP,
    (deployments.ControlMapChange, "update_control_map"): _CONTROL_MAP,
    (deployments.Deployment, "filter"): _members({"id": _TEXT, "name": _TEXT, "terms": _TERMS}),
    (deployments.Deployment, "status"): _one_of(["scheduled", "pending", "inprogress", "finished"]),
    (deployments.Deployment, "type"): _one_of(["software", "configuration"]),
    (deployments.Deployment, "update_control_map"): _CONTROL_MAP,
    (deployments.DeploymentDevice, "state"): _ROWS,
    (deployments.DeploymentDevice, "status"): _ROWS,
    (devauth.AcceptanceRuleShape, "type"): _one_of(acceptance.Kind),
    (devauth.AuthSetShape, "identity_data"): _IDENTITY,
    (devauth.AuthSetShape, "status"): _SETS,
    (devauth.AuthSetShape, "tier"): _TIERS,
    (devauth.AuthSetStatus, "status"): _SETS,
    (devauth.DeviceShape, "identity_data"): _IDENTITY,
    (devauth.DeviceShape, "status"): _one_of(sets.Status),
    (devauth.DeviceShape, "tier"): _TIERS,
    (devauth.ExpectedShape, "identity_data"): _IDENTITY,
    (devauth.NewAcceptanceRule, "type"): _one_of(acceptance.Kind),
    (devauth.NewIdentity, "identity_data"): _IDENTITY,
    (devauth.NewStatus, "status"): _one_of(sorted(sets.SETTABLE)),
    (devauth.PreAuthSet, "identity_data"): _IDENTITY,
    (devauth.RegisteredDevice, "status"): _one_of(sets.Status),
    (deployments.DeploymentStatistics, "stats"): _STATISTICS,
    (deployments.NewSoftwareDeployment, "update_control_map"): _CONTROL_MAP,
    (deployments.Statistics, "status"): _STATISTICS,
    (deviceconnect.Device, "status"): _one_of(["connected", "disconnected", "unknown"]),
    (deviceconfig.NewConfigurationDeployment, "update_control_map"): _CONTROL_MAP,
    (inventory.AttributeShape, "scope"): _one_of(["identity", "inventory", "monitor", "system", "tags"]),
    (inventory.AttributeShape, "value"): _VALUE,
    (inventory.Term, "type"): _OPERATORS,
    (overview.Devices, "by_status"): {KEYS: list(map(str, sets.Status))},
    (console.Rights, "permissions"): {KEYS: list(map(str, Permission))},
    (roles.PermissionSet, "supported_scope_types"): {"items": _TEXT | _SCOPES},
    (roles.Scope, "type"): _SCOPES,
    (tenantadm.Tenant, "addons"): {
        "items": {"type": "object", **_members({"name": _TEXT, "enabled": {"type": "boolean"}})},
    },
    (tenantadm.Tenant, "plan"): _one_of(features.PLANS),
    (useradm.User, "tfa_status"): {"enum": ["disabled", "enabled", "unverified", None]},
}
"""Possible values of members. Tests check real answers against it."""

_TIME: Final = {"format": "date-time"}
_FORMATS: Final[dict[str, Schema]] = {
    "check_in_time": _TIME,
    "created": _TIME,
    "created_at": _TIME,
    "created_ts": _TIME,
    "deleted": _TIME,
    "email": {"format": "email"},
    "expiration_date": _TIME,
    "expire": _TIME,
    "finished": _TIME,
    "last_used": _TIME,
    "login_ts": _TIME,
    "modified": _TIME,
    "not_after": _TIME,
    "reported_ts": _TIME,
    "start_ts": _TIME,
    "started": _TIME,
    "time": _TIME,
    "timestamp": _TIME,
    "ts": _TIME,
    "updated_at": _TIME,
    "updated_ts": _TIME,
    "valid_until": _TIME,
}
"""Formats of texts by the members' names: in answers only, since requests are not refused for them."""

_UUID: Final = "9e4b2f1c-5a63-4d0e-8b7a-1f2c3d4e5f60"
_EXAMPLES: Final[dict[str, Any]] = {
    "address": "operator@example.com",
    "artifact_id": _UUID,
    "artifact_name": "release-2.4",
    "artifact_provides": {"rootfs-image.version": "release-2.4"},
    "artifact_depends": {"device_type": ["raspberrypi4"]},
    "attribute": "device_type",
    "batch_size": 10,
    "checksum": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "clears_artifact_provides": ["rootfs-image.*"],
    "configured": {"timezone": "UTC"},
    "data": {"id": _UUID, "status": "accepted"},
    "device_time_zone": "geo-timezone",
    "date": "2026-11-02T09:00:00Z",
    "description": "Fixes the modem's reconnect",
    "device_id": _UUID,
    "device_provides": {"device_type": "raspberrypi4", "artifact_name": "release-2.3"},
    "device_types_compatible": ["raspberrypi4"],
    "devices_by_status": {"accepted": {"standard": 120}, "pending": {"standard": 3}},
    "email": "operator@example.com",
    "filter_id": _UUID,
    "format": "mender",
    "group": "lab",
    "id": _UUID,
    "identity_data": {"mac": "02:12:61:13:42:41"},
    "id_data": '{"mac":"02:12:61:13:42:41"}',
    "kind": "oidc",
    "level": "error",
    "message": "installation failed: no space left on device",
    "method": "GET",
    "name": "release-2.4",
    "notes": "Tested in the lab for a week",
    "object": {"id": _UUID, "type": "device"},
    "part_size": 8388608,
    "password": "correct horse battery staple",
    "plan": "enterprise",
    "pubkey": "-----BEGIN PUBLIC KEY-----\nMFkw...\n-----END PUBLIC KEY-----\n",
    "reported": {"timezone": "UTC"},
    "roles": ["RBAC_ROLE_PERMIT_ALL"],
    "scope": "inventory",
    "size": 48123904,
    "stats": {"success": 118, "failure": 2},
    "start_time": "02:00",
    "status": "accepted",
    "substate": "",
    "tags": ["stable"],
    "time_interval": "P1D",
    "time_zone": "Europe/Oslo",
    "token2fa": "123456",
    "uri": "https://storage.example.com/artifact?signature=...",
    "url": "https://hooks.example.com/lamplighter",
    "value": "raspberrypi4",
}
"""Example values by the members' names."""


def member(shape: type, name: str, schema: Schema, *, answered: bool) -> Schema:
    """Details of a shape's member."""
    known: Schema = next((dict(VALUES[each, name]) for each in shape.__mro__ if (each, name) in VALUES), {})
    is_text = schema.get("type") in ("string", ["string", "null"])
    if answered and is_text and name in _FORMATS and (shape, name) not in _FREE:
        known |= _FORMATS[name]
    return known


_FREE: Final = {(device_deployments.LogMessage, "timestamp")}
"""Members that are passed on as sent by devices."""


def example(name: str, schema: Schema) -> Any:  # one return for each kind of value
    """A value for a member of this name."""
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("format") == "date-time":
        return "2026-11-02T09:30:00Z"
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    known = _EXAMPLES.get(name)
    if known is not None and _PYTHON.get(kind or "", object) in {type(known), object}:
        return known
    least = max(1, schema.get("minimum", 1))
    return {"array": [], "boolean": False, "integer": least, "number": least, "object": {}}.get(
        kind or "", f"{name.replace('_', ' ')}"
    )


_PYTHON: Final[dict[str, type]] = {"array": list, "integer": int, "object": dict, "string": str}

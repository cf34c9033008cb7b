"""Update control maps: at which steps an update pauses (``docs/behaviour.md#update-control-maps``).

The shape is that of client 3.5. The client refuses a map with an unknown member, and so does the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from chalicelib.errors import BadRequest

_Action = Literal["continue", "force_continue", "pause", "fail"]
_OnExpire = Literal["continue", "force_continue", "fail"]
_Place = Literal["ArtifactInstall_Enter", "ArtifactReboot_Enter", "ArtifactCommit_Enter"]


class _State(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The actions before one state of the client."""

    action: _Action | None = None
    on_map_expire: _OnExpire | None = None
    on_action_executed: _Action | None = None


class _Map(msgspec.Struct, forbid_unknown_fields=True):
    """A map in requests. ``id`` is checked and replaced by that of the deployment."""

    id: UUID | None = None
    priority: Annotated[int, msgspec.Meta(ge=-10, le=10)] = 0
    states: dict[_Place, _State] = {}


def read(given: Mapping[str, Any], deployment: str) -> dict[str, Any]:
    """The map of a deployment.

    Raises:
        BadRequest: it has an unknown member, or a value that clients would refuse.
    """
    try:
        found = msgspec.convert(_without_null(given), _Map)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Validating request body: update_control_map: {error}") from error
    return {"id": deployment, "priority": found.priority, "states": msgspec.to_builtins(found.states)}


def _without_null(value: Any) -> Any:
    """A document without its null members, which clients treat as absent."""
    if isinstance(value, Mapping):
        return {name: _without_null(member) for name, member in value.items() if member is not None}
    return value

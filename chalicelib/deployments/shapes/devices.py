"""The wire format of deployments in the calls of devices (API reference, "Deployments")."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from chalicelib import limits


class NextV2(msgspec.Struct, forbid_unknown_fields=True):
    """Body of v2 ``POST .../next``."""

    device_provides: dict[str, Any]
    update_control_map: bool = False


class StatusReport(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a device's status report."""

    status: str
    substate: Annotated[str, msgspec.Meta(max_length=limits.SUBSTATE)] | None = None


class LogMessage(msgspec.Struct, forbid_unknown_fields=True):
    """A line of a deployment log."""

    timestamp: str
    level: str
    message: str


class Log(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a device's deployment log."""

    messages: Annotated[list[LogMessage], msgspec.Meta(min_length=1)]


class Source(msgspec.Struct):
    """The download link of an artifact."""

    uri: str
    expire: str


class ArtifactInstruction(msgspec.Struct, omit_defaults=True):
    """The artifact of an instruction."""

    id: str
    artifact_name: str
    source: Source
    device_types_compatible: list[str]
    update_control_map: dict[str, Any] | None = None


class Instructions(msgspec.Struct, omit_defaults=True):
    """The answer of ``next``. The map is where clients look for it; the reference shows it inside the artifact."""

    id: str
    artifact: ArtifactInstruction
    update_control_map: dict[str, Any] | None = None


class ControlMap(msgspec.Struct):
    """Answer of v2 ``GET .../update_control_map``."""

    update_control_map: dict[str, Any]

"""Converts a parsed artifact to its stored form, and that to the wire format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chalicelib import clock
from chalicelib.artifacts import shapes
from chalicelib.artifacts.rules import Candidate
from chalicelib.auditlogs.service import Object, ObjectType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.artifacts.container import Artifact, Payload
    from chalicelib.artifacts.tables.artifacts import ArtifactItem
    from chalicelib.artifacts.tables.releases import ReleaseItem
    from chalicelib.aws.s3 import ObjectRef


def content(parsed: Artifact) -> shapes.Content:
    """The content of the file, in the form that is stored and shown."""
    return shapes.Content(
        device_types_compatible=list(parsed.device_types),
        info=shapes.FormatInfo("mender", parsed.format_version),
        signed=parsed.signed,
        updates=[_update(payload) for payload in parsed.payloads],
        artifact_provides=parsed.provides,
        artifact_depends={
            # A single value stays a string, several stay a list, as in the file.
            key: value if isinstance(value, str) else list(value)
            for key, value in {**parsed.depends, "device_type": parsed.device_types}.items()
        },
        clears_artifact_provides=list(parsed.clears_provides),
    )


def _update(payload: Payload) -> shapes.Update:
    files = [
        shapes.UpdateFile(file.name, file.checksum, file.size, clock.rfc3339(file.modified) if file.modified else None)
        for file in payload.files
    ]
    return shapes.Update(shapes.TypeInfo(payload.type), files or None, payload.metadata or {})


def candidate(artifact_id: str, parsed: Artifact, ref: ObjectRef) -> Candidate:
    """The candidate of the artifact whose file is the object ``ref``."""
    depends = {
        key: (value,) if isinstance(value, str) else tuple(value)
        for key, value in parsed.depends.items()
        if key != "device_type"
    }
    types = tuple(dict.fromkeys(payload.type for payload in parsed.payloads if payload.type))
    return Candidate(artifact_id, parsed.name, parsed.device_types, depends, parsed.size, ref.key, ref.version, types)


def artifact(item: ArtifactItem) -> shapes.Artifact:
    """A stored artifact in the wire format."""
    return msgspec.convert(
        {
            **item.content,
            "id": item.artifact_id,
            "name": item.name,
            "description": item.description,
            "size": item.size,
            "modified": clock.rfc3339(item.modified),
        },
        shapes.Artifact,
    )


def release(item: ReleaseItem, found: Mapping[str, ArtifactItem]) -> shapes.Release:
    """A release with those of its artifacts that were found."""
    artifacts = [artifact(found[artifact_id]) for artifact_id in item.artifacts if artifact_id in found]
    return shapes.Release(
        name=item.name,
        modified=clock.rfc3339(item.modified),
        artifacts=artifacts,
        artifacts_count=len(artifacts),
        tags=list(item.tags),
        notes=item.notes,
    )


def audited(artifact_id: str, name: str) -> Object:
    """An artifact as an audit entry names it."""
    return Object(ObjectType.ARTIFACT, artifact_id, {"name": name})


def audited_release(name: str) -> Object:
    """A release as an audit entry names it."""
    return Object(ObjectType.RELEASE, name, {"name": name})

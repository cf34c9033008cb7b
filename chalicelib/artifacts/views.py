"""Artifacts and releases as the API returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chalicelib import clock
from chalicelib.artifacts import shapes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from chalicelib.artifacts.container import Artifact, Payload
    from chalicelib.artifacts.rules import Division, TrustedKey
    from chalicelib.artifacts.tables.artifacts import ArtifactItem
    from chalicelib.artifacts.tables.releases import ReleaseItem


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
            **({} if item.signature is None else {"signature": item.signature}),
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


def software(item: ReleaseItem) -> shapes.Software:
    """A release as the list of software shows it."""
    return shapes.Software(
        name=item.name,
        kind="release",
        modified=clock.rfc3339(item.modified),
        compatible_types=sorted({each for one in item.candidates for each in one.device_types}),
        tags=list(item.tags),
        notes=item.notes,
    )


def parted_upload(upload_id: str, division: Division, until: datetime) -> shapes.PartedUpload:
    """A direct upload in parts, which is given up at ``until``."""
    return shapes.PartedUpload(upload_id, division.size, division.part_size, division.count, clock.rfc3339(until))


def trusted_key(key: TrustedKey) -> shapes.TrustedKey:
    """A trusted key in the wire format."""
    return shapes.TrustedKey(key.id, key.name, key.pem, key.algorithm, key.fingerprint, clock.rfc3339(key.created))

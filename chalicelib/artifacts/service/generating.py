"""Artifacts that the server generates from a file, for the update module ``single-file``.

Source: ``docs/behaviour.md#generated-artifacts``.
"""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from chalicelib import limits
from chalicelib.artifacts import rules
from chalicelib.artifacts.container import reader
from chalicelib.artifacts.container.writer import ModuleArtifact, SourceFile
from chalicelib.artifacts.service import trust, uploads
from chalicelib.errors import BadRequest, Conflict, Unprocessable
from chalicelib.fleet import switches
from chalicelib.fleet.switches import Switch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.artifacts.rules import SingleFile
    from chalicelib.storage.keys import TenantId

FIELDS: Final = rules.GENERATE_FIELDS
_MODULE: Final = "single-file"
_IN_MEMORY: Final = 4 * limits.MIB
_PIECE: Final = 256 * limits.KIB


def generate(tenant: TenantId, fields: Mapping[str, str], file: Iterable[bytes]) -> str:
    """Generate an artifact that installs one file, and store it.

    The checksum comes before the file in the artifact, so the file is stored temporarily: in memory, or on disk beyond
    4 MiB.

    Args:
        tenant: the artifact's tenant.
        fields: those of the form, by lower-case name.
        file: the file in pieces of any size; read once.

    Returns:
        The new artifact's id.

    Raises:
        BadRequest: a field is not valid, or the file does not arrive completely.
        SwitchedOff: an admin has switched uploads off.
        TooLarge: the tenant's storage limit would be exceeded.
        Unprocessable: an artifact with its name and device types exists, or the tenant demands signatures.
    """
    # Both before the file is read.
    switches.require(Switch.UPLOADS)
    trust.require_unsigned(tenant)
    wanted = rules.read_generate(fields)
    if not reader.is_file_name(wanted.filename):
        # The reader of artifacts would refuse it too, but only after the whole file has arrived.
        raise BadRequest(f"args: filename may only have {reader.FILE_NAMES}")
    artifact_id = str(uuid.uuid4())
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spooled:
        kept = cast("BinaryIO", spooled)
        content = _kept(wanted.filename, file, kept)
        artifact = _artifact(wanted, content)
        about = {"artifact_id": artifact_id, "description": wanted.description}
        try:
            return uploads.upload(tenant, about, artifact.pieces())
        except Conflict as error:
            raise Unprocessable("Artifact not unique") from error


def _kept(name: str, file: Iterable[bytes], kept: BinaryIO) -> SourceFile:
    size, total = 0, hashlib.sha256()
    for piece in file:
        kept.write(piece)
        size += len(piece)
        total.update(piece)
    return SourceFile(name, size, total.hexdigest(), partial(_again, kept))


def _again(kept: BinaryIO) -> Iterator[bytes]:
    kept.seek(0)
    while piece := kept.read(_PIECE):
        yield piece


def _artifact(wanted: SingleFile, content: SourceFile) -> ModuleArtifact:
    """The artifact with the files that the module needs: the file, its name, destination and mode."""
    software = f"{wanted.software_filesystem}.{wanted.software_name}"
    return ModuleArtifact(
        name=wanted.name,
        device_types=wanted.device_types,
        type=_MODULE,
        provides={f"{software}.version": wanted.software_version},
        clears_provides=[f"{software}.*"],
        files=[
            _line("dest_dir", wanted.dest_dir),
            _line("filename", wanted.filename),
            _line("permissions", "644"),
            content,
        ],
    )


def _line(name: str, text: str) -> SourceFile:
    content = f"{text}\n".encode()
    return SourceFile(name, len(content), hashlib.sha256(content).hexdigest(), lambda: [content])

"""Reads and writes ``.mender`` artifacts as streams, in bounded memory whatever a file claims. No I/O of its own.

    artifact = parse(stream)
    artifact = parse(ChunkReader(chunks, tee=store))

Its layers are modules: ``source`` (bytes), ``tar`` (members), ``compression``, ``manifest`` (checksums), ``shapes``
(JSON documents), ``header``, and ``reader``, which reads them in the order of the format. ``model`` is the result,
``limits`` has the limits. ``writer`` makes module artifacts, ``signatures`` checks who signed one; import these only
where they are used.
"""

from __future__ import annotations

from chalicelib.artifacts.container.errors import ArtifactError, ArtifactTooLargeError
from chalicelib.artifacts.container.limits import DEFAULT_LIMITS, Limits
from chalicelib.artifacts.container.model import Artifact, Payload, PayloadFile, Signature
from chalicelib.artifacts.container.reader import parse
from chalicelib.artifacts.container.source import ChunkReader, Read

__all__ = [
    "DEFAULT_LIMITS",
    "Artifact",
    "ArtifactError",
    "ArtifactTooLargeError",
    "ChunkReader",
    "Limits",
    "Payload",
    "PayloadFile",
    "Read",
    "Signature",
    "parse",
]

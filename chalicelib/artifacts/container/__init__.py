"""Reads and writes `.mender` artifacts: pure, streaming, in bounded memory whatever a file claims.

    artifact = parse(stream)
    artifact = parse(ChunkReader(chunks, tee=store))

The layers, each a module: ``source`` (bytes), ``tar`` (members), ``compression``, ``manifest`` (sums),
``shapes`` (JSON documents), ``header``, and ``reader``, which knows the order of the whole; ``model`` is the
result and ``limits`` what bounds it. ``writer`` makes module artifacts; import it where one is made.
"""

from __future__ import annotations

from chalicelib.artifacts.container.errors import ArtifactError, ArtifactTooLargeError
from chalicelib.artifacts.container.limits import DEFAULT_LIMITS, Limits
from chalicelib.artifacts.container.model import Artifact, Payload, PayloadFile
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
    "parse",
]

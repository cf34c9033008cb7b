"""What an artifact says about itself: the result of parsing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

Depends = dict[str, str | tuple[str, ...]]


class PayloadFile(msgspec.Struct, frozen=True):
    """One file of a payload; its content has the ``checksum``.

    ``size`` in bytes, decompressed; ``checksum`` is SHA-256 in hexadecimal digits; ``modified`` is None where
    the file's time is beyond what a date can say.
    """

    name: str
    size: int
    checksum: str
    modified: datetime | None


class Payload(msgspec.Struct, frozen=True):
    """One payload: what one update module installs.

    ``type`` is the module, None for an empty payload. ``metadata`` is the object that the module is given
    (original and augmented ones merged), None if there is none.
    """

    type: str | None
    files: tuple[PayloadFile, ...]
    metadata: dict[str, Any] | None


class Artifact(msgspec.Struct, frozen=True):
    """A whole artifact. All checksums in it were verified; a signature was not.

    ``signed`` says that there is a signature. ``provides``, ``depends`` and ``clears_provides`` unite those of
    the artifact and of its payloads. ``depends`` always has `device_type`, equal to ``device_types``; values
    are one text, or several of which any will do, as in the file. Format 2 knows no provides: there they are
    empty. ``size`` is the whole file's, in bytes.
    """

    name: str
    format_version: int
    signed: bool
    device_types: tuple[str, ...]
    payloads: tuple[Payload, ...]
    provides: dict[str, str]
    depends: Depends
    clears_provides: tuple[str, ...]
    group: str | None
    size: int

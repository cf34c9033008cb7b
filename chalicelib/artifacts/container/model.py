"""The content of an artifact: the result of parsing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

Depends = dict[str, str | tuple[str, ...]]


class PayloadFile(msgspec.Struct, frozen=True):
    """One file of a payload.

    ``size`` in bytes, decompressed; ``checksum`` is SHA-256 in hexadecimal digits; ``modified`` is None where
    the file's time is outside the years 1 to 9999.
    """

    name: str
    size: int
    checksum: str
    modified: datetime | None


class Payload(msgspec.Struct, frozen=True):
    """One payload: what one update module installs.

    ``type`` is the module, None for an empty payload. ``metadata`` is the object that the module gets
    (original and augmented ones merged); None if there is none.
    """

    type: str | None
    files: tuple[PayloadFile, ...]
    metadata: dict[str, Any] | None


class Signature(msgspec.Struct, frozen=True):
    """The signature of an artifact: ``encoded`` is the file ``manifest.sig``, ``manifest`` what it signs.

    ``covers_all``: whether the artifact has only files that ``manifest`` lists, not those of a ``manifest-augment``.
    """

    manifest: bytes
    encoded: bytes
    covers_all: bool


class Artifact(msgspec.Struct, frozen=True):
    """A whole artifact. Its checksums are verified, a signature is not (``container.signatures``).

    ``provides``, ``depends`` and ``clears_provides`` combine those of the artifact and of its payloads. ``depends``
    always has ``device_type``, equal to ``device_types``; its values are one text, or a list of which any fits, as in
    the file. In format 2 ``provides`` is empty. ``size`` is that of the whole file, in bytes.
    """

    name: str
    format_version: int
    signature: Signature | None
    device_types: tuple[str, ...]
    payloads: tuple[Payload, ...]
    provides: dict[str, str]
    depends: Depends
    clears_provides: tuple[str, ...]
    group: str | None
    size: int

    @property
    def signed(self) -> bool:
        """Whether it has a signature, be it valid or not."""
        return self.signature is not None

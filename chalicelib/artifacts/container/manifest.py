"""Checks the checksums of an artifact's manifests."""

from __future__ import annotations

import re

from chalicelib.artifacts.container.errors import ArtifactError, malformed, quoted

_LINE = re.compile(rb"([0-9a-f]{64})  ([!-~]+)")
_AUGMENTABLE = re.compile(r"header-augment\.tar(\.\w+)?|data/\d{4}/[^/]+", re.ASCII)


class Manifest:
    """SHA-256 checksums by name, from ``manifest`` and ``manifest-augment``. Each must be checked exactly once."""

    def __init__(self) -> None:
        self._sums: dict[str, str] = {}

    def add(self, raw: bytes, *, augment: bool = False) -> None:
        """Add the lines of a manifest: a checksum, two spaces and a name each.

        ``manifest-augment`` is not covered by a signature, so it may name only added files and their header, never a
        part of the original.

        Raises:
            ArtifactError: a line is malformed, or a name is repeated or not allowed here.
        """
        *lines, rest = raw.split(b"\n")
        if rest:
            raise malformed("the last line of a manifest is not closed")
        for line in filter(None, lines):
            match = _LINE.fullmatch(line)
            if not match:
                raise malformed(f"malformed manifest line {quoted(line.decode('latin-1'))}")
            name = match[2].decode()
            if name in self._sums:
                raise malformed(f"{quoted(name)} is in the manifest twice")
            if augment and not _AUGMENTABLE.fullmatch(name):
                raise malformed(f"{quoted(name)} can't be augmented")
            self._sums[name] = match[1].decode()

    def check(self, name: str, actual: str) -> None:
        """Compare the checksum of what was read as ``name`` with that of the manifest.

        Raises:
            ArtifactError: it differs, or the manifest has none for this name, or it was checked before.
        """
        expected = self._sums.pop(name, None)
        if expected is None:
            raise malformed(f"checksum missing for file: {quoted(name)}")
        if actual != expected:
            raise ArtifactError(f"invalid checksum for {quoted(name)}; expected: [{expected}]; actual: [{actual}]")

    def close(self) -> None:
        """The file has ended: ArtifactError if a line was not checked."""
        if self._sums:
            some = ", ".join(quoted(name) for name in list(self._sums)[:3])
            raise malformed(f"files found in manifest(s), that were not part of artifact: {some}")

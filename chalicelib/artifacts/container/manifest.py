"""The sums that an artifact's manifests promise, ticked off one by one."""

from __future__ import annotations

import re

from chalicelib.artifacts.container.errors import ArtifactError, malformed, quoted

_LINE = re.compile(rb"([0-9a-f]{64})  ([!-~]+)")
_AUGMENTABLE = re.compile(r"header-augment\.tar(\.\w+)?|data/\d{4}/[^/]+", re.ASCII)


class Manifest:
    """SHA-256 sums by name, from `manifest` and `manifest-augment`. Each must be used exactly once."""

    def __init__(self) -> None:
        self._sums: dict[str, str] = {}

    def add(self, raw: bytes, *, augment: bool = False) -> None:
        """Take the lines of a manifest, each a sum, two spaces and a name.

        The one that augments is not covered by a signature, so it can vouch for added files and their header
        only, never for a part of the original.

        Raises:
            ArtifactError: a line is malformed, a name is there twice or does not belong here.
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
        """Compare the sum of what was read as ``name`` with the promised one.

        Raises:
            ArtifactError: it differs, or none is promised (any more).
        """
        expected = self._sums.pop(name, None)
        if expected is None:
            raise malformed(f"checksum missing for file: {quoted(name)}")
        if actual != expected:
            raise ArtifactError(f"invalid checksum for {quoted(name)}; expected: [{expected}]; actual: [{actual}]")

    def close(self) -> None:
        """Nothing more comes: ArtifactError if a line was not used."""
        if self._sums:
            some = ", ".join(quoted(name) for name in list(self._sums)[:3])
            raise malformed(f"files found in manifest(s), that were not part of artifact: {some}")

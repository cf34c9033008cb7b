"""Errors about artifacts that are refused."""

from __future__ import annotations

from chalicelib.errors import BadRequest, TooLarge

TEXT_MAX = 300  # characters of a text, which may quote the file
QUOTE_MAX = 80  # characters of a quoted name


class ArtifactError(BadRequest):
    """The file is not an artifact that this server accepts. ``text`` says why, for the user who uploads it.

    Texts begin as those of Mender: `reading artifact error: ...`, `invalid checksum for ...`,
    `unsupported version ...`.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 3] + "...")


class ArtifactTooLargeError(TooLarge, ArtifactError):
    """The file is larger than an artifact may be."""


def malformed(reason: str) -> ArtifactError:
    """The error for a file that violates the format or a limit. The caller raises it."""
    return ArtifactError(f"reading artifact error: {reason}")


def quoted(name: str) -> str:
    """``name`` in quotes, made printable and short."""
    return ascii(name if len(name) <= QUOTE_MAX else name[:QUOTE_MAX] + "...")

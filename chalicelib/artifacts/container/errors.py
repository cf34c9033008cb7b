"""How a refused artifact is told."""

from __future__ import annotations

from chalicelib.errors import BadRequest, TooLarge

TEXT_MAX = 300  # characters of a text; what is quoted in it may come from the file
QUOTE_MAX = 80  # characters of a quoted name


class ArtifactError(BadRequest):
    """The file is no artifact that this server accepts; ``text`` says why and may be shown to the uploader.

    Texts begin as Mender's do: `reading artifact error: ...`, `invalid checksum for ...`,
    `unsupported version ...`.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 3] + "...")


class ArtifactTooLargeError(TooLarge, ArtifactError):
    """The file is larger than an artifact may be."""


def malformed(reason: str) -> ArtifactError:
    """The error for a file that breaks the format or a bound, to be raised by the caller."""
    return ArtifactError(f"reading artifact error: {reason}")


def quoted(name: str) -> str:
    """``name`` in quotes, printable and short, whatever the file calls itself."""
    return ascii(name if len(name) <= QUOTE_MAX else name[:QUOTE_MAX] + "...")

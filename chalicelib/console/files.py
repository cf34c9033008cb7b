"""The files that ``make ui`` built. They are all text, because gateways damage anything else."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

import msgspec

BUILT: Final = Path(__file__).parent / "built"
"""The folder of the build, with the page ``index.html`` and the files in ``assets/``. Not committed."""
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
"""The media types of served files, by the end of their names."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
"""Names of files that may be requested: one segment of a path, which stays in its folder."""


class File(msgspec.Struct, frozen=True):
    """A file: its text, its media type, and the ETag of its content (RFC 9110, 8.8.3)."""

    text: str
    content_type: str
    etag: str


def page() -> File | None:
    """The page; None before the first build."""
    return _read(BUILT, "index.html")


def beside(name: str) -> File | None:
    """A file beside the page, such as its icon; None if there is none with this name."""
    return _read(BUILT, name)


def asset(name: str) -> File | None:
    """A file whose name contains the hash of its content; None if there is none with this name."""
    return _read(BUILT / "assets", name)


def _read(folder: Path, name: str) -> File | None:
    content_type = TYPES.get(Path(name).suffix)
    if content_type is None or _NAME.fullmatch(name) is None:
        return None
    try:
        data = (folder / name).read_bytes()
    except OSError:
        return None
    return File(data.decode(), content_type, f'"{hashlib.sha256(data).hexdigest()[:32]}"')

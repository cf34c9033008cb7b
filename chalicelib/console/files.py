"""The files that ``make ui`` built, as a browser gets them. They are text: front doors damage anything else."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

import msgspec

BUILT: Final = Path(__file__).parent / "built"
"""Where the build of ``ui/`` puts the page, ``index.html``, and what it loads, ``assets/``. Not committed."""
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
"""The kinds of files that are served, by the end of their names."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
"""Of files that may be asked for: one segment of a path, that leads nowhere else."""


class File(msgspec.Struct, frozen=True):
    """A file: its text, its media type, and the tag of this very content (RFC 9110, 8.8.3)."""

    text: str
    content_type: str
    etag: str


def page() -> File | None:
    """The page itself; None before the first build."""
    return _read(BUILT, "index.html")


def beside(name: str) -> File | None:
    """A file beside the page, such as its icon; None if there is none of that name."""
    return _read(BUILT, name)


def asset(name: str) -> File | None:
    """A file whose name holds the hash of its content; None if there is none of that name."""
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

"""Normalizes the paths of requests. Uses only the standard library, because the relay needs it too."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

_ORIGIN: Final = re.compile(r"https?://[^/]*", re.IGNORECASE)
"""Scheme and host before the path, in the absolute form of a request's target (RFC 9112, 3.2.2)."""
_UNRESERVED: Final = re.compile(r"%(?:2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])", re.IGNORECASE)
"""Percent-escapes of characters that mean the same unescaped (RFC 3986, 2.3)."""
_NO_ESCAPE: Final = re.compile(r"%(?![0-9A-F]{2})", re.IGNORECASE)
_OTHER_SPELLING: Final = re.compile(rf"//|/\./|{_UNRESERVED.pattern}", re.IGNORECASE)


def plain(path: str) -> str:
    """The normal form of a percent-encoded path, which clients and proxies may write in several ways.

    Empty segments, ``.`` between slashes, and a scheme and host before the path are removed, and unreserved characters
    are unescaped. Names do not change: an escaped slash stays escaped, ``..`` is not resolved, and a name that is
    ``.`` or ``..`` stays as it was written.
    """
    path = origin_form(path)
    if _OTHER_SPELLING.search(path) is None:
        return path
    segments = path.split("/")
    kept = [_unescaped(segment) for segment in segments[:-1] if segment not in ("", ".")]
    return "/".join(["", *kept, _unescaped(segments[-1])])


def below(path: str, stage: str) -> str:
    """The rest of a path (as it was sent) after its first segment; empty if that is not ``stage``."""
    segments = origin_form(path).split("/")
    for at, segment in enumerate(segments[:-1]):
        if segment not in ("", "."):
            return "/" + "/".join(segments[at + 1 :]) if _unescaped(segment) == stage else ""
    return ""


def is_console(path: str) -> bool:
    """Whether a path (as it was sent) belongs to the console, which is also served without the API's stage."""
    return f"{plain(path)}/".startswith("/ui/")


def segments_of(path: str) -> list[str]:
    """The segments of a path in their normal form, including empty ones."""
    segments = path.removesuffix("/").split("/")[1:]
    if not segments or _OTHER_SPELLING.search(path) is None:
        return segments
    return [_unescaped(segment) for segment in segments[:-1] if segment != "."] + [_unescaped(segments[-1])]


def origin_form(path: str) -> str:
    """The path without the scheme and host of the absolute form."""
    found = _ORIGIN.match(path)
    return path if found is None else path[found.end() :] or "/"


def _unescaped(segment: str) -> str:
    if _NO_ESCAPE.search(segment):
        return segment  # because an unescaped character after it could turn it into an escape
    decoded = _UNRESERVED.sub(lambda escape: unquote(escape[0]), segment)
    return segment if decoded in (".", "..") else decoded

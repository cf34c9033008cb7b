"""Deployment logs that arrive incomplete.

A Mender client computes ``Content-Length`` before its log is complete, so the body can end anywhere: inside a message,
an escape, or a UTF-8 sequence. An error would make the client report a failure and send the log again, every minute.
The complete messages of such a log are therefore stored.
"""

from __future__ import annotations

import json
import re

import msgspec

from chalicelib.deployments.shapes.devices import Log, LogMessage

MARK = "The device sent this log cut off: its rest is missing."
"""The message at the end of an incomplete log."""

_scanner = json.JSONDecoder(strict=False)
_BEGIN = '{"messages":['
_HEAD = re.compile(r'\s*\{\s*"messages"\s*:\s*\[', re.IGNORECASE)
_SEPARATOR = re.compile(r"\s*,\s*")
_SPACE = re.compile(r"\s*")
# No possessive repetition of a group: Python before 3.11.5 loses its place when the group fails (gh-106052).
_TOKEN = re.compile(
    r"""
    \s*+ (?: (?P<sign> [{:,\]] )
           | " (?: [^"\\]++ | \\ (?: ["\\/bfnrt] | u[0-9a-fA-F]{4} ) )*
             (?: " | (?: \\ (?: u[0-9a-fA-F]{0,3} )? )? \Z ) )
    """,
    re.VERBOSE,
)
_OBJECT = r"\{(?:s:s,)*(?:s(?::s?)?)?"
"""The beginning of a message, which is a flat object of strings; ``s`` stands for each string."""
_FIRST = re.compile(rf"(?:{_OBJECT}|\])?")
_LATER = re.compile(rf"(?:,(?:{_OBJECT})?|\])?")


def completed(raw: bytes, *, timestamp: str) -> bytes | None:
    """The JSON of an incomplete log: its complete messages, and one that says that the rest is missing.

    None if ``raw`` is not the beginning of a log. The complete messages may still not be valid.

    Args:
        raw: the body as it arrived.
        timestamp: RFC 3339; when the log arrived.
    """
    # An incomplete UTF-8 sequence is inside an incomplete string, and is dropped with it.
    text = raw.decode(errors="replace")
    head = _HEAD.match(text)
    mark = LogMessage(timestamp, "warning", MARK)
    if head is None:
        begun = "".join(text.split()).lower()
        return msgspec.json.encode(Log([mark])) if begun and _BEGIN.startswith(begun) else None
    end = at = head.end()
    try:
        while True:
            _, end = _scanner.raw_decode(text, _SPACE.match(text, at).end())  # type: ignore[union-attr]  # matches
            following = _SEPARATOR.match(text, end)
            if following is None:
                break
            at = following.end()
    except (ValueError, RecursionError):
        pass
    is_first = end == head.end()
    signs = _signs(text[end:].rstrip())
    if signs is None or not (_FIRST if is_first else _LATER).fullmatch(signs):
        return None
    whole = text[head.end() : end] + ("" if is_first else ",")
    return _BEGIN.encode() + whole.encode() + msgspec.json.encode(mark) + b"]}"


def _signs(text: str) -> str | None:
    """JSON text with each string (the last may be incomplete) replaced by ``s``; None if it is not JSON."""
    found, at = "", 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return None
        found += token["sign"] or "s"
        at = token.end()
    return found

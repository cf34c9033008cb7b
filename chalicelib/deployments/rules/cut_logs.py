"""Deployment logs that arrive cut off.

A Mender client counts ``Content-Length`` before its log has grown to its end, so the body can stop anywhere: inside a
message, an escape, or a UTF-8 sequence. A refusal makes the client report its failure and send the log again, every
minute. So what is whole of such a log is kept.
"""

from __future__ import annotations

import json
import re

import msgspec

from chalicelib.deployments.shapes import Log, LogMessage

MARK = "The device sent this log cut off: its rest is missing."
"""The message at the end of a log that was cut off."""

_scanner = json.JSONDecoder(strict=False)
_BEGIN = '{"messages":['
_HEAD = re.compile(r'\s*\{\s*"messages"\s*:\s*\[', re.IGNORECASE)
_SEPARATOR = re.compile(r"\s*,\s*")
_SPACE = re.compile(r"\s*")
_TOKEN = re.compile(
    r"""
    \s*+ (?: (?P<sign> [{:,\]] )
           | " (?: [^"\\]++ | \\ (?: ["\\/bfnrt] | u[0-9a-fA-F]{4} ) )*+
             (?: " | (?: \\ (?: u[0-9a-fA-F]{0,3} )? )? \Z ) )
    """,
    re.VERBOSE,
)
_OBJECT = r"\{(?:s:s,)*(?:s(?::s?)?)?"
"""The beginning of a message, which is a flat object of strings; ``s`` stands for each of them."""
_FIRST = re.compile(rf"(?:{_OBJECT}|\])?")
_LATER = re.compile(rf"(?:,(?:{_OBJECT})?|\])?")


def completed(raw: bytes, *, timestamp: str) -> bytes | None:
    """The JSON of a log whose end is missing: its whole messages, then one that says that the rest is missing.

    None if ``raw`` is not the beginning of a log. The whole messages may still be none that a log takes.

    Args:
        raw: the body as it arrived.
        timestamp: RFC 3339; when the log arrived.
    """
    # A UTF-8 sequence that is cut off is inside a string that is cut off, and goes with it.
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
    """The signs of JSON text, with an ``s`` for each string, of which the last may be cut off; None if it is none."""
    found, at = "", 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return None
        found += token["sign"] or "s"
        at = token.end()
    return found

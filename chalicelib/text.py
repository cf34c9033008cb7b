"""Makes untrusted text safe for its destination: a JSON parser, a header, a spreadsheet.

Each destination has one function, and all such text must pass through it.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import Final
from urllib.parse import quote

REPLACEMENT: Final = "\ufffd"

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPE: Final = re.compile(
    r"\\(?:(u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""An escape in JSON text. Group 1: a pair of surrogates, which is one character. Group 2: half of a pair."""

_FILENAME: Final = 120
"""Maximum characters of a file name in a header. Percent-encoded, each may take 12 bytes."""
_HEADER: Final = 1024
_FORMULA: Final = ("=", "+", "-", "@", "|", "%")
"""Characters that a spreadsheet takes for the beginning of a formula, or of a call to another program (DDE)."""


def from_bytes(raw: bytes) -> str:
    """Decode ``raw``. Each byte that is not part of a UTF-8 character becomes U+FFFD, as in Go."""
    return raw.decode(errors="lamplighter-each-byte")


def _each_byte(error: UnicodeError) -> tuple[str, int]:
    # Python's "replace" makes one U+FFFD of a broken character; Go makes one of each byte.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return REPLACEMENT, error.start + 1


codecs.register_error("lamplighter-each-byte", _each_byte)


def without_surrogates(text: str) -> str:
    """``text`` with U+FFFD for each half of a surrogate pair, which cannot be encoded."""
    return _SURROGATE.sub(REPLACEMENT, text)


def json_text(raw: bytes) -> str:
    """A JSON document in which invalid Unicode is replaced by U+FFFD, as Go reads it."""
    return _ESCAPE.sub(lambda found: r"\ufffd" if found[2] else found[0], from_bytes(raw))


def attachment(filename: str) -> str:
    """A ``Content-Disposition`` that saves an answer under a file's name (RFC 6266).

    Control characters, slashes and others that file names should not contain become ``_``. A long name keeps its end,
    which has its type. A name that is not ASCII is given twice: as ``filename*`` in UTF-8 (RFC 8187), for current
    clients, and with ``_`` for other characters.
    """
    name = "".join(map(_in_filename, without_surrogates(filename)))[-_FILENAME:].strip(". ") or "file"
    plain = "".join(char if char.isascii() and char not in '"%' else "_" for char in name)
    header = f'attachment; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"


def _in_filename(char: str) -> str:
    # Cc, Cf: control characters, and invisible ones such as those that reverse the direction of writing.
    return "_" if char in "/\\" or unicodedata.category(char) in {"Cc", "Cf", "Cn", "Co", "Zl", "Zp"} else char


def header(text: str) -> str | None:
    """``text`` as the value of a header, percent-encoded where it is not printable ASCII; None if it is too long.

    It is not shortened, because a part would mean something else.
    """
    value = quote(without_surrogates(text), safe=_PRINTABLE)
    return value if len(value) <= _HEADER else None


_PRINTABLE: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def cell(text: str) -> str:
    """``text`` for a cell of a spreadsheet, with an apostrophe before anything that might run as a formula.

    Programs differ in what they skip before a formula (white space, invisible and control characters), and some accept
    full-width forms of its first character. All of these are recognised.
    """
    seen = unicodedata.normalize("NFKC", text[:_LOOKED_AT])
    first = next((char for char in seen if not _is_skipped(char)), "")
    return f"'{text}" if first in _FORMULA or text[:1] in _BREAKS or (not first and len(text) > _LOOKED_AT) else text


_LOOKED_AT: Final = 256
_BREAKS: Final = ("\t", "\r", "\n")


def _is_skipped(char: str) -> bool:
    return char.isspace() or char in "\"'" or unicodedata.category(char) in {"Cc", "Cf", "Cn", "Mn"}

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
"""An escape in JSON text. Group 1: a pair of surrogates, which is a character. Group 2: half of a pair."""

_FILENAME: Final = 120
"""Characters of a file's name in a header. Percent-encoded, each may take 12 bytes."""
_HEADER: Final = 1024
_FORMULA: Final = ("=", "+", "-", "@", "|", "%")
"""What a spreadsheet takes for the beginning of a formula, or of a call to another program (DDE)."""


def from_bytes(raw: bytes) -> str:
    """``raw`` as text. Each byte that belongs to no character of UTF-8 becomes U+FFFD, as Go's decoder does it."""
    return raw.decode(errors="lamplighter-each-byte")


def _each_byte(error: UnicodeError) -> tuple[str, int]:
    # Python's own "replace" takes a broken character's bytes together; Go replaces each.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return REPLACEMENT, error.start + 1


codecs.register_error("lamplighter-each-byte", _each_byte)


def without_surrogates(text: str) -> str:
    """``text`` with U+FFFD for each half of a surrogate pair, which no encoding can write."""
    return _SURROGATE.sub(REPLACEMENT, text)


def json_text(raw: bytes) -> str:
    """A JSON document whose strings are all valid Unicode, as Go reads it: U+FFFD stands for whatever is none."""
    return _ESCAPE.sub(lambda found: r"\ufffd" if found[2] else found[0], from_bytes(raw))


def attachment(filename: str) -> str:
    """A ``Content-Disposition`` that saves an answer under a file's name (RFC 6266).

    Control characters, slashes and what else no file's name should hold become ``_``, and a long name keeps its end,
    where its type is. A name that is not plain ASCII is there twice: once as ``filename*`` in UTF-8 (RFC 8187), which
    every current client takes, once with ``_`` for what ASCII does not have.
    """
    name = "".join(map(_in_filename, without_surrogates(filename)))[-_FILENAME:].strip(". ") or "file"
    plain = "".join(char if char.isascii() and char not in '"%' else "_" for char in name)
    header = f'attachment; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"


def _in_filename(char: str) -> str:
    # Cc, Cf: control characters, and invisible ones such as those that turn the direction of writing around.
    return "_" if char in "/\\" or unicodedata.category(char) in {"Cc", "Cf", "Cn", "Co", "Zl", "Zp"} else char


def header(text: str) -> str | None:
    """``text`` as the value of a header, percent-encoded where it is not printable ASCII; None if it is too long.

    Half a value would mean something else than the whole, so a long one is left out.
    """
    value = quote(without_surrogates(text), safe=_PRINTABLE)
    return value if len(value) <= _HEADER else None


_PRINTABLE: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def cell(text: str) -> str:
    """``text`` for a cell of a spreadsheet, which would run a formula: then an apostrophe goes before it.

    Programs differ in what they skip in front of a formula (white space, invisible and control characters), and some
    take full-width forms of its first character. All of that is looked through.
    """
    seen = unicodedata.normalize("NFKC", text[:_LOOKED_AT])
    first = next((char for char in seen if not _is_skipped(char)), "")
    return f"'{text}" if first in _FORMULA or text[:1] in _BREAKS or (not first and len(text) > _LOOKED_AT) else text


_LOOKED_AT: Final = 256
_BREAKS: Final = ("\t", "\r", "\n")


def _is_skipped(char: str) -> bool:
    return char.isspace() or char in "\"'" or unicodedata.category(char) in {"Cc", "Cf", "Cn", "Mn"}

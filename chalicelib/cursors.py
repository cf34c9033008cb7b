"""Cursors: opaque texts in links, which name the place in a list at which a page begins.

A page number says how many rows to skip, and all of them are read. A cursor is the key of a row, so a page costs the
same wherever it is. It is valid for one list of one tenant only, which ``context`` names.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final, Generic, TypeVar

import msgspec

from chalicelib.errors import BadRequest

_TAG: Final = 9
"""Bytes of the hash that tells whether a cursor is of this list. It does not have to be secret: a cursor gives no
access, because each list is read within the caller's tenant."""
_LONGEST: Final = 1_500
"""Maximum characters; keys of rows are much shorter."""
_INVALID: Final = "cursor: not one of this list; follow the links in its Link header, or ask for a page by its number"


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """A place in a list."""

    key: str
    """The sort key of a row."""
    before: bool = False
    """Whether the page ends before this row; otherwise it begins after it."""
    total: int = 0
    """The number of all rows, for lists in which counting them is expensive; 0: not known."""


R = TypeVar("R")


class Listed(msgspec.Struct, Generic[R], frozen=True):
    """Rows of a list that has cursors, and the number of all its rows."""

    rows: list[R]
    total: int
    ends: tuple[str, str] | None = None
    """The sort keys of the first and the last of these rows; None: there are none, or all rows of the list were read
    to find them."""


def encode(cursor: Cursor, context: str) -> str:
    """A cursor as text, of characters that need no escape in a URL."""
    content = msgspec.json.encode(cursor)
    return base64.urlsafe_b64encode(_tag(content, context) + content).rstrip(b"=").decode()


def decode(text: str, context: str) -> Cursor:
    """The cursor that :func:`encode` made for the same context.

    Raises:
        BadRequest: it is not one.
    """
    try:
        if len(text) > _LONGEST:
            raise ValueError  # noqa: TRY301  # one handler for all that is wrong with it
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(data[_TAG:], type=Cursor)
    except ValueError as error:
        raise BadRequest(_INVALID) from error
    # The text has to be the one that was given out, not only one that means the same.
    if encode(cursor, context) != text:
        raise BadRequest(_INVALID)
    return cursor


def _tag(content: bytes, context: str) -> bytes:
    return hashlib.sha256(context.encode() + b"\0" + content).digest()[:_TAG]

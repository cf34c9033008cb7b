"""How times and JSON documents are stored, without pynamodb."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_HALF: Final = _MILLISECOND / 2
_PLAIN_BELOW: Final = 256


def of_time(moment: datetime) -> str:
    """A time as whole milliseconds since 1970."""
    return str((moment - _EPOCH + _HALF) // _MILLISECOND)  # whole numbers, because floats are inexact before 1970


def to_time(millis: str) -> datetime:
    """The time, in UTC."""
    whole = int(millis)
    return datetime.fromtimestamp(whole // 1000, UTC).replace(microsecond=whole % 1000 * 1000)


def of_document(document: Any) -> bytes:
    """A document as JSON, or compressed if that is shorter.

    The first byte tells them apart: zlib's is ``x``, which begins no JSON document. Structs are converted by
    ``msgspec``.
    """
    plain = msgspec.json.encode(document)
    if len(plain) < _PLAIN_BELOW:
        return plain
    packed = zlib.compress(plain, 6)
    return packed if len(packed) < len(plain) else plain


def to_document(stored: bytes) -> Any:
    """The document, of plain dicts, lists and scalars."""
    return msgspec.json.decode(zlib.decompress(stored) if stored[:1] == b"x" else stored)

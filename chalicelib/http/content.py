"""Decodes and encodes JSON.

Decoding follows the rules that Mender's clients rely on (the documented behaviour of Go's decoder): unknown members are
ignored; names match in any letter case; a null member is absent; null as a whole body or as an entry of a list is an
empty object or list; invalid Unicode becomes U+FFFD; bytes after the first value are ignored; an empty body is ``EOF``.
Usually one strict pass decodes straight into the struct; only a body that it refuses is examined again. A struct with
``refuses_unknown`` does not ignore unknown members: a setting with a misspelt name would have no effect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from chalicelib import text
from chalicelib.errors import BadRequest, UnsupportedMediaType

T = TypeVar("T")
_scanner = json.JSONDecoder(strict=False, parse_int=float)  # only finds the end; long integers do not matter
_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def decode(raw: bytes, shape: type[T], *, prefix: str = "failed to decode request body: ") -> T:
    """Decode ``raw`` as ``shape``.

    Raises:
        BadRequest: the body is empty, not JSON, or not of that shape; the text names the member.
    """
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        document = _first_value(raw)
        return msgspec.convert(_fold(document, shape), type=shape)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadRequest(prefix + _reason(error, raw)) from error


def _first_value(raw: bytes) -> Any:
    document = text.json_text(raw).lstrip(" \t\r\n")
    if not document:
        raise ValueError("EOF")
    _, end = _scanner.raw_decode(document)
    # Decoded again by msgspec, which refuses NaN and infinity: they cannot be stored.
    return msgspec.json.decode(document[:end])


def _fold(document: Any, shape: Any) -> Any:
    """The document as Go would decode it: known members with their exact names, without null ones."""
    try:
        info = msgspec.inspect.type_info(shape)
    except TypeError:
        return document
    return _fold_by(document, info)


def _fold_by(document: Any, info: msgspec.inspect.Type) -> Any:
    if isinstance(info, msgspec.inspect.UnionType):
        info = _option(document, info)
    match document, info:
        case None, _:
            return _empty(info)
        case dict(), msgspec.inspect.StructType():
            return _fold_struct(document, info)
        case list(), msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            return [_fold_by(value, info.item_type) for value in document]
    return document


def _fold_struct(document: dict[str, Any], info: msgspec.inspect.StructType) -> dict[str, Any]:
    known = {field.encode_name.lower(): field for field in info.fields}
    folded: dict[str, Any] = {}
    for name, value in document.items():
        field = known.get(name.lower())
        if value is None:
            continue
        if field is not None:
            folded[field.encode_name] = _fold_by(value, field.type)
        elif getattr(info.cls, "refuses_unknown", False):
            folded[name] = value  # which the decoder then refuses
    return folded


def _option(document: Any, info: msgspec.inspect.UnionType) -> msgspec.inspect.Type:
    """The type of a union that an object or a list belongs to; otherwise the first one."""
    objects = msgspec.inspect.StructType | msgspec.inspect.DictType
    wanted = objects if isinstance(document, dict) else msgspec.inspect.ListType
    return next((option for option in info.types if isinstance(option, wanted)), info.types[0])


def _empty(info: msgspec.inspect.Type) -> Any:
    """The value of null for a body or an entry of that type."""
    if isinstance(info, msgspec.inspect.StructType):
        return {}
    return [] if isinstance(info, msgspec.inspect.ListType) else None


def _reason(error: Exception, raw: bytes) -> str:
    if not raw.strip():
        return "EOF"
    if isinstance(error, RecursionError):
        return "the document is nested too deeply"
    return str(error)


def encode(document: Any) -> str:
    """``document`` (shapes, dicts, lists, scalars) as JSON text."""
    return msgspec.json.encode(document).decode()


def quality(accept: str, media_type: str) -> float:
    """The quality of a media type in an ``Accept`` header: from 0, not accepted, to 1 (RFC 9110, 12.5.1).

    The most specific match decides. Unreadable parts, and parameters of types, are ignored.
    """
    found: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = _WEIGHT.fullmatch(next((each for each in parameters if each.startswith("q=")), "q=1"))
        if weight:
            found[name] = max(found.get(name, 0.0), float(weight[1]))
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((found[each] for each in ranges if each in found), 0.0)


def chosen(accept: str | None, known: Mapping[str, str]) -> str:
    """The name of the media type that a caller prefers; the first one if it prefers none. ``known``: types by name."""
    return max(known, key=lambda name: quality(accept or "", known[name]))


def require_json(content_type: str | None, raw: bytes) -> None:
    """Check the ``Content-Type`` of a JSON write; a request without a body needs none.

    Raises:
        BadRequest: the header is missing or can't be parsed.
        UnsupportedMediaType: it names another type.
    """
    if not raw:
        return
    media_type = media(content_type)
    if media_type is None:
        raise BadRequest(f"Invalid value for Content-Type header: {content_type or 'missing'}")
    if media_type != "application/json":
        raise UnsupportedMediaType("unsupported media type")


def media(content_type: str | None) -> str | None:
    """The media type of a header in lower case without parameters; None if there is no valid one."""
    if not content_type:
        return None
    value = content_type.split(";", 1)[0].strip().lower()
    kind, slash, sub = value.partition("/")
    return value if slash and kind and sub and " " not in value else None

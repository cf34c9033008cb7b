"""JSON in and out.

Reading follows the rules that Mender's clients rely on (published behaviour of its Go decoder): unknown members
are ignored, member names match in any case, bytes after the first value are ignored, an empty body is ``EOF``.
The common case is one strict pass straight into the shape; only what that refuses is looked at again.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

import msgspec

from chalicelib.errors import BadRequest, UnsupportedMediaType

T = TypeVar("T")
_scanner = json.JSONDecoder(strict=False)
_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def decode(raw: bytes, shape: type[T], *, prefix: str = "failed to decode request body: ") -> T:
    """``raw`` as ``shape``.

    Raises:
        BadRequest: the body is empty, no JSON, or not of that shape; the text names the member.
    """
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        document = _first_value(raw)
        return msgspec.convert(_fold(document, shape), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadRequest(prefix + _reason(error, raw)) from error


def _first_value(raw: bytes) -> Any:
    text = raw.decode().lstrip(" \t\r\n")
    if not text:
        raise ValueError("EOF")
    _, end = _scanner.raw_decode(text)
    # Decoded again by msgspec: it refuses lone surrogates and NaN, which nothing downstream could store.
    return msgspec.json.decode(text[:end])


def _fold(document: Any, shape: Any) -> Any:
    """``document`` with the members of known shapes under the names that the shape gives them."""
    try:
        info = msgspec.inspect.type_info(shape)
    except TypeError:
        return document
    return _fold_by(document, info)


def _fold_by(document: Any, info: msgspec.inspect.Type) -> Any:
    if isinstance(document, dict) and isinstance(info, msgspec.inspect.StructType):
        known = {field.encode_name.lower(): field for field in info.fields}
        folded: dict[str, Any] = {}
        for name, value in document.items():
            field = known.get(name.lower())
            if field is not None:
                folded[field.encode_name] = _fold_by(value, field.type)
        return folded
    if isinstance(document, list) and isinstance(info, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
        return [_fold_by(value, info.item_type) for value in document]
    if isinstance(info, msgspec.inspect.UnionType):
        for option in info.types:
            if isinstance(option, msgspec.inspect.StructType | msgspec.inspect.ListType):
                return _fold_by(document, option)
    return document


def _reason(error: Exception, raw: bytes) -> str:
    if not raw.strip():
        return "EOF"
    if isinstance(error, RecursionError):
        return "the document is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "the body is not UTF-8"
    return str(error)


def encode(document: Any) -> str:
    """``document`` (shapes, dicts, lists, scalars) as JSON text."""
    return msgspec.json.encode(document).decode()


def quality(accept: str, media_type: str) -> float:
    """How much the ``Accept`` of a call asks for a media type: 0, not at all, to 1 (RFC 9110, 12.5.1).

    What names the type more exactly decides. Parts that can't be read, and parameters of types, are ignored.
    """
    found: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = _WEIGHT.fullmatch(next((each for each in parameters if each.startswith("q=")), "q=1"))
        if weight:
            found[name] = max(found.get(name, 0.0), float(weight[1]))
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((found[each] for each in ranges if each in found), 0.0)


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

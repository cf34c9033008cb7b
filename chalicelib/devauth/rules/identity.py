"""Identity data: the same JSON object is the same device, however it is written.

The identity of a device is the SHA-256 of its normalised data (``docs/behaviour.md#device-identity``, with a test
vector). The normal form is the compact JSON that Go's encoder writes, which Mender's server hashes, so the hashes of an
exported fleet stay valid here. If a key occurs twice, its last value counts. Invalid Unicode becomes U+FFFD.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from decimal import Decimal
from typing import Any

import msgspec

from chalicelib import limits
from chalicelib.errors import BadRequest
from chalicelib.text import without_surrogates


class Identity(msgspec.Struct, frozen=True):
    """Identity data: ``text`` in its normal form, ``hash`` its SHA-256 in hex."""

    text: str
    hash: str

    @property
    def members(self) -> dict[str, Any]:
        """The data as a dict, with whole numbers as ``int``, as Go prints them."""
        document: dict[str, Any] = json.loads(self.text)
        return document


def normalise(text: str) -> Identity:
    """The identity described by ``text``, a JSON object.

    Raises:
        BadRequest: ``text`` is too long, not a JSON object, nested too deeply, or has a number beyond float64.
    """
    if len(text.encode(errors="replace")) > limits.ID_DATA:
        raise BadRequest(f"identity data is too large (max: {limits.ID_DATA} bytes)")
    try:
        document = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadRequest("failed to parse identity data: invalid JSON") from error
    if not isinstance(document, dict):
        raise BadRequest("failed to parse identity data: not a JSON object")
    normal = _emit(document, limits.JSON_DEPTH)
    return Identity(normal, hashlib.sha256(normal.encode()).hexdigest())


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("number out of range")
    return value


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _emit(value: Any, depth: int) -> str:
    if depth == 0:
        raise BadRequest("failed to parse identity data: nested too deeply")
    if isinstance(value, dict):
        # Lone surrogates are replaced before sorting, because two keys may become equal. Then the last one counts.
        members = {without_surrogates(key): item for key, item in value.items()}
        return "{" + ",".join(f"{_quote(k)}:{_emit(members[k], depth - 1)}" for k in sorted(members)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_emit(item, depth - 1) for item in value) + "]"
    if isinstance(value, str):
        return _quote(without_surrogates(value))
    if isinstance(value, float):
        return go_number(value)
    return {True: "true", False: "false", None: "null"}[value]


_ESCAPED = re.compile('["\\\\<>&\u2028\u2029\x00-\x1f]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _quote(text: str) -> str:
    escaped = _ESCAPED.sub(lambda m: _SHORT.get(m.group()) or f"\\u{ord(m.group()):04x}", text)
    return f'"{escaped}"'


_FIXED_FROM, _FIXED_BELOW = 1e-6, 1e21


def go_number(value: float) -> str:
    """``value`` (finite) as Go's encoding/json writes a float64: shortest digits, exponent only for the extremes."""
    size = abs(value)
    if size == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    if _FIXED_FROM <= size < _FIXED_BELOW:
        fixed = format(Decimal(repr(value)), "f")
        return fixed.removesuffix(".0")
    return repr(value).replace("e-0", "e-")

"""Lamplighter's own tokens: RS256 JWTs with a ``kid``, signed and verified offline.

The claims are those of Mender's tokens, because UIs and scripts read them (``docs/behaviour.md#device-tokens``,
``docs/behaviour.md#user-tokens``): ``jti`` (auth set or session), ``sub`` (device or user), ``iss``, ``iat``, ``exp``,
``mender.tenant``, ``mender.plan``, ``mender.addons``. ``lamplighter.gen`` counts the revocations of a device: a token
of an older generation is invalid.
"""

from __future__ import annotations

import binascii
import re
import time
from functools import lru_cache
from typing import Any, Final

import msgspec

from chalicelib.aws import signing_keys
from chalicelib.errors import Unauthorized

ALGORITHM: Final = "RS256"
_TEXT: Final = re.compile(r"([\w-]+)\.([\w-]+)\.([\w-]+)", re.ASCII)
"""A JWT: header, claims and signature in base64url without padding (RFC 7515, 7.1)."""
_LEEWAY = 10
"""Tolerated seconds of difference between the clocks of our own processes."""


class _Header(msgspec.Struct):
    alg: str
    kid: str
    crit: msgspec.UnsetType = msgspec.UNSET
    """Extensions that a verifier must understand (RFC 7515, 4.1.11). We understand none, so any value is refused."""


class _Claims(msgspec.Struct):
    """The claims of every token (RFC 7519, 4.1). ``nbf`` may be Go's zero time, and is not checked."""

    iat: float
    iss: str
    jti: str
    sub: str
    exp: float | None = None


_header = msgspec.json.Decoder(_Header)
_claims = msgspec.json.Decoder(_Claims)
_all_claims = msgspec.json.Decoder(dict[str, Any])


def issue(claims: dict[str, Any]) -> str:
    """A signed token with these claims."""
    # Imported here: most calls issue no token.
    import jwt

    key = signing_keys.active()
    return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.kid})


def verify(token: str) -> dict[str, Any]:
    """The claims of a token that one of our keys signed and that has not expired.

    Raises:
        Unauthorized: anything else, whatever is wrong with it.
    """
    claims, expires, kid = _verified(token)
    if signing_keys.public(kid) is None:
        # The key was withdrawn since this process verified the token, which is invalid now.
        raise Unauthorized("identity: unknown signing key")
    if expires is not None and time.time() > expires + _LEEWAY:
        raise Unauthorized("token expired")
    return claims


# A device uses one token for a week: a process checks its signature once, and its expiry every time.
@lru_cache(maxsize=4096)
def _verified(token: str) -> tuple[dict[str, Any], float | None, str]:
    """Claims, expiry and key of a token whose signature is right, whether it has expired or not.

    By hand, because PyJWT takes five times as long. A device's token is often new to a process, since the calls of a
    fleet are spread over many.
    """
    parts = _TEXT.fullmatch(token)
    if parts is None:
        raise Unauthorized("identity: incorrect token format")
    try:
        header = _header.decode(_bytes(parts[1]))
        claims = _bytes(parts[2])
        named = _claims.decode(claims)
        signature = _bytes(parts[3])
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unauthorized("identity: incorrect token format") from error
    if header.alg != ALGORITHM or named.iat > time.time() + _LEEWAY:
        raise Unauthorized("identity: incorrect token format")
    key = signing_keys.public(header.kid)
    if key is None:
        raise Unauthorized("identity: unknown signing key")
    if not key.signed(token[: parts.end(2)].encode(), signature):
        raise Unauthorized("identity: incorrect token format")
    return _all_claims.decode(claims), named.exp, header.kid


def _bytes(part: str) -> bytes:
    """A part of a token, decoded."""
    padded = part.replace("-", "+").replace("_", "/") + "=" * (-len(part) % 4)
    return binascii.a2b_base64(padded, strict_mode=True)


def forget() -> None:
    """Drop the verified tokens of this process, after a key was withdrawn."""
    _verified.cache_clear()

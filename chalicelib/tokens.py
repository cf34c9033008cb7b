"""Lamplighter's own tokens: RS256 JWTs with a ``kid``, signed and verified offline.

The claims are those of Mender's tokens, because UIs and scripts read them (``docs/behaviour.md#device-tokens``,
``docs/behaviour.md#user-tokens``): ``jti`` (auth set or session), ``sub`` (device or user), ``iss``, ``iat``, ``exp``,
``mender.tenant``, ``mender.plan``, ``mender.addons``. ``lamplighter.gen`` counts the revocations of a device: a token
of an older generation is invalid.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

from chalicelib.aws import signing_keys
from chalicelib.errors import Unauthorized

ALGORITHM = "RS256"
_REQUIRED = ["exp", "iat", "iss", "jti", "sub"]
_LEEWAY = 10
"""Tolerated seconds of difference between the clocks of our own processes."""


def issue(claims: dict[str, Any]) -> str:
    """A signed token with these claims."""
    # Imported here: workers and the schedule need no tokens.
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


@lru_cache(maxsize=4096)
def _verified(token: str) -> tuple[dict[str, Any], float | None, str]:
    # Imported here: workers and the schedule need no tokens.
    import jwt

    # A device uses one token for a week: a process checks its signature once, and its expiry every time.
    try:
        kid = str(jwt.get_unverified_header(token).get("kid"))
        key = signing_keys.public(kid)
        if key is None:
            raise Unauthorized("identity: unknown signing key")
        no_expiry = jwt.decode(token, options={"verify_signature": False}).get("exp") is None
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            leeway=_LEEWAY,
            # nbf may be Go's zero time; the caller checks exp, because this result is cached.
            options={
                "require": [claim for claim in _REQUIRED if not (claim == "exp" and no_expiry)],
                "verify_nbf": False,
                "verify_exp": False,
                "verify_aud": False,
            },
        )
    except jwt.PyJWTError as error:
        raise Unauthorized("identity: incorrect token format") from error
    expires = claims.get("exp")
    return claims, float(expires) if expires is not None else None, kid


def forget() -> None:
    """Drop the verified tokens of this process, after a key was withdrawn."""
    _verified.cache_clear()

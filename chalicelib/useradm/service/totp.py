"""One-time passwords from a shared secret and the time: RFC 6238 with what every authenticator app knows. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from urllib.parse import quote, urlencode

DIGITS = 6
STEP = 30
"""Seconds that a code is shown."""
DRIFT = 1
"""Steps that the clock of a phone may be ahead or behind."""
_ISSUER = "Lamplighter"


def code(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of a step since 1970 (RFC 4226, section 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def matching_step(secret: str, given: str, now: datetime, *, after: int | None) -> int | None:
    """The step whose code this is; None for a wrong code, and for one of ``after`` or before: each is good once.

    ``secret``: in base32, as apps take it.
    """
    key = base64.b32decode(secret)
    current = int(now.timestamp()) // STEP
    typed = given.replace(" ", "").encode("utf-8", "surrogatepass")
    found = None
    for step in range(current - DRIFT, current + DRIFT + 1):
        # Every one is compared, so that the time says nothing about which was near.
        if hmac.compare_digest(code(key, step).encode(), typed) and (after is None or step > after):
            found = step
    return found


def uri(secret: str, account: str) -> str:
    """What the QR code says to an authenticator app."""
    query = urlencode({"secret": secret, "issuer": _ISSUER, "digits": DIGITS, "period": STEP})
    return f"otpauth://totp/{quote(_ISSUER)}:{quote(account)}?{query}"

"""Time-based one-time passwords (RFC 6238), with the parameters that every authenticator app supports. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from urllib.parse import quote, urlencode

DIGITS = 6
STEP = 30
"""Seconds for which an app shows a code."""
DRIFT = 1
"""Steps by which a phone's clock may be fast or slow."""
_ISSUER = "Lamplighter"


def code(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of a step since 1970 (RFC 4226, section 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def matching_step(secret: str, given: str, now: datetime, *, after: int | None) -> int | None:
    """The step of a code; None if it is wrong, or of step ``after`` or earlier, because each works once.

    ``secret`` is in base32, as apps use it.
    """
    key = base64.b32decode(secret)
    current = int(now.timestamp()) // STEP
    typed = given.replace(" ", "").encode("utf-8", "surrogatepass")
    found = None
    for step in range(current - DRIFT, current + DRIFT + 1):
        # All are compared, so that the time does not reveal which one matched.
        if hmac.compare_digest(code(key, step).encode(), typed) and (after is None or step > after):
            found = step
    return found


def uri(secret: str, account: str) -> str:
    """The content of the QR code for an authenticator app."""
    query = urlencode({"secret": secret, "issuer": _ISSUER, "digits": DIGITS, "period": STEP})
    return f"otpauth://totp/{quote(_ISSUER)}:{quote(account)}?{query}"

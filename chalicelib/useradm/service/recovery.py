"""Recovery codes: each replaces a code of the authenticator app once, for users who have lost their phone. Pure.

A code has 80 random bits, so the plain hash in the table cannot be reversed by trying.
"""

from __future__ import annotations

import hashlib
import re
import secrets

COUNT = 10
"""The number of codes that a user gets."""
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, without letters that look like digits or each other."""
_LOOKALIKES = str.maketrans({"o": "0", "i": "1", "l": "1"})
_LENGTH = 16
_GROUP = 4
_CODE = re.compile(f"[{_ALPHABET}]{{{_LENGTH}}}")


def new() -> list[str]:
    """New codes, in groups of four characters."""
    return [_grouped("".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))) for _ in range(COUNT)]


def _grouped(code: str) -> str:
    return "-".join(code[at : at + _GROUP] for at in range(0, _LENGTH, _GROUP))


def digest(user: str, typed: str) -> str | None:
    """The hash to store for a user's code, in any spelling; None if it does not have the form of a code."""
    code = re.sub(r"[\s-]", "", typed.lower()).translate(_LOOKALIKES)
    if not _CODE.fullmatch(code):
        return None
    return hashlib.sha256(f"{user} {code}".encode()).hexdigest()[:32]

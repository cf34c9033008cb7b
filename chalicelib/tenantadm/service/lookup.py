"""From a tenant token to its tenant: what a device that asks to be authenticated needs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from chalicelib import clock
from chalicelib.cache import Cache
from chalicelib.tenantadm import tables

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

_tokens: Cache[str, TenantId | None] = Cache()


def tenant_by_token(token: str) -> TenantId | None:
    """The tenant of a tenant token, active or not; None for an unknown token.

    Costs nothing when this process answered the same token in the last ``settings.control_cache`` seconds.
    """
    hashed = token_hash(token)
    return _tokens.get(hashed, lambda: tables.find_by_token(hashed, clock.now()))


def token_hash(token: str) -> str:
    """What a token is found by. It is long and random: a plain hash can't be turned back."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def forget(hashed: str) -> None:
    """Drop this process's answer for a token whose meaning changed."""
    _tokens.forget(hashed)

"""Looks up the tenant of a tenant token, for authentication requests."""

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

    Free if this process has answered the same token within the last ``settings.control_cache`` seconds.
    """
    hashed = token_hash(token)
    return _tokens.get(hashed, lambda: tables.find_by_token(hashed, clock.now()))


def token_hash(token: str) -> str:
    """The key of a token. Tokens are long and random, so a plain hash is safe."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def forget(hashed: str) -> None:
    """Drop the cached answer for a token that has changed."""
    _tokens.forget(hashed)

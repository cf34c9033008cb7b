"""From a tenant token to its tenant: what a device that asks to be authenticated needs."""

from __future__ import annotations

import hashlib
import time
from threading import Lock
from typing import TYPE_CHECKING

from chalicelib import clock, settings
from chalicelib.tenantadm import tables

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

_CACHED_TOKENS = 10_000
_tokens: dict[str, tuple[float, TenantId | None]] = {}
_lock = Lock()


def tenant_by_token(token: str) -> TenantId | None:
    """The tenant of a tenant token, active or not; None for an unknown token.

    Costs nothing when this process answered the same token in the last ``settings.control_cache`` seconds.
    """
    hashed = token_hash(token)
    cached = _tokens.get(hashed)
    if cached is not None and time.monotonic() - cached[0] < settings.current().control_cache:
        return cached[1]
    read_at = time.monotonic()
    tenant = tables.find_by_token(hashed, clock.now())
    with _lock:
        if len(_tokens) >= _CACHED_TOKENS:
            _tokens.clear()
        _tokens[hashed] = (read_at, tenant)
    return tenant


def token_hash(token: str) -> str:
    """What a token is found by. It is long and random: a plain hash can't be turned back."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def forget(hashed: str) -> None:
    """Drop this process's answer for a token whose meaning changed."""
    _tokens.pop(hashed, None)

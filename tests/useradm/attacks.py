"""Helpers for attacks by a malicious identity provider."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2

from tests.support.provider import _RSA, jws, rsa_signature

if TYPE_CHECKING:
    pass


def signed(said: dict[str, Any] | bytes, **header: Any) -> str:
    """A token with any claims and header, signed by the provider's own key."""
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    return jws({"alg": "RS256", "kid": "one"} | header, payload, partial(rsa_signature, _RSA))


def refused(answer: httpx2.Response, *statuses: int, about: object = None) -> None:
    """Assert that no user is signed in, and that the answer is one of these. ``about``: the tried attack."""
    assert answer.status_code in (statuses or (403,)), (about, answer.text)
    assert not [each for each in answer.headers.get_list("set-cookie") if each.startswith("JWT=")]

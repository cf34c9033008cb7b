"""Optimistic writes: ``ETag`` out, ``If-Match`` in (RFC 9110, 13.1.1).

Mender's tags are bare text, without quotes. Both forms are taken, and weak tags as well: proxies that compress answers
make weak ones of ours.
"""

from __future__ import annotations

import re

from chalicelib import limits
from chalicelib.errors import BadRequest

_TAG = re.compile(r'\s*(?:W/)?"([^"]*)"|([^,]+)')


def if_match(header: str | None) -> frozenset[str] | None:
    """The versions of which a request insists on one; None if it takes any.

    Raises:
        BadRequest: it names too many.
    """
    named = {(quoted or bare).strip() for quoted, bare in _TAG.findall(header or "")} - {""}
    if len(named) > limits.ETAGS:
        raise BadRequest(f"If-Match: too many entity tags (max: {limits.ETAGS})")
    return None if not named or "*" in named else frozenset(named)

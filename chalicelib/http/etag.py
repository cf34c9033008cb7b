"""Optimistic locking: ``ETag`` in answers, ``If-Match`` in requests (RFC 9110, 13.1.1).

Mender's tags have no quotes. Both forms are accepted, and weak tags as well, because proxies that compress answers make
ours weak.
"""

from __future__ import annotations

import re

from chalicelib import limits
from chalicelib.errors import BadRequest

_TAG = re.compile(r'\s*(?:W/)?"([^"]*)"|([^,]+)')


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Whether a caller has what this tag, in its quotes, is of: ``If-None-Match`` names it (RFC 9110, 13.1.2)."""
    given = [each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")]
    return tag in given or given == ["*"]


def if_match(header: str | None) -> frozenset[str] | None:
    """The versions, one of which a request requires; None if it accepts any.

    Raises:
        BadRequest: it names too many.
    """
    found = list(_TAG.finditer(header or ""))
    quoted = {tag[1] for tag in found if tag[1] is not None}
    bare = {tag[2].strip() for tag in found if tag[2] is not None} - {""}
    if len(quoted | bare) > limits.ETAGS:
        raise BadRequest(f"If-Match: too many entity tags (max: {limits.ETAGS})")
    # Only a bare * stands for any version; "*" and "" in quotes are ordinary tags, which match nothing.
    return None if "*" in bare or not quoted | bare else frozenset(quoted | bare)

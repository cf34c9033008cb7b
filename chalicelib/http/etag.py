"""Conditional requests (RFC 9110, 13.1): ``If-Match`` for optimistic locking, ``If-None-Match`` for short refreshes.

Mender's tags have no quotes. Both forms are accepted, and weak tags as well, because proxies that compress answers make
ours weak.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, TypeVar

import msgspec

from chalicelib import limits
from chalicelib.errors import BadRequest
from chalicelib.http import content

if TYPE_CHECKING:
    from chalicelib.http.request import Reply, Request

Body = TypeVar("Body")

_TAG = re.compile(r'\s*(?:W/)?"([^"]*)"|([^,]+)')


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Whether the caller has the version with this quoted tag, as ``If-None-Match`` says (RFC 9110, 13.1.2)."""
    given = [each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")]
    return tag in given or given == ["*"]


def conditional(request: Request, reply: Reply[Body]) -> Reply[Body]:
    """A reply with a tag of its body and headers; 304 without a body if the caller already has it."""
    digest = hashlib.sha256(content.encode([reply.body, reply.headers]).encode()).hexdigest()[:32]
    tag = f'"{digest}"'
    headers = {**reply.headers, "ETag": tag}
    if is_known(request.headers.get("if-none-match"), tag):
        return msgspec.structs.replace(reply, status=304, body=None, headers=headers)
    return msgspec.structs.replace(reply, headers=headers)


def if_match(header: str | None) -> frozenset[str] | None:
    """The versions of which a request requires one; None if it accepts any.

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

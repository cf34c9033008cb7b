"""Compresses answers like API Gateway: for callers that accept it, from a minimum size.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from infra.local.rules import Reply

if TYPE_CHECKING:
    from infra.local.rules import Headers

MINIMUM_COMPRESSION_SIZE: Final = 1024
"""Minimum bytes of an answer that is compressed; smaller ones gain nothing."""
LEVEL: Final = 6
_FOREVER: Final = b"immutable"
"""Part of the ``Cache-Control`` of files that never change; these are compressed once per process."""


def compressed(reply: Reply, accept_encoding: str) -> Reply:
    """Compress an answer if its caller accepts it; one with a ``Content-Encoding`` is returned unchanged."""
    names = {name for name, _ in reply.headers}
    if len(reply.body) < MINIMUM_COMPRESSION_SIZE or b"content-encoding" in names or not takes_gzip(accept_encoding):
        return reply
    kept = any(name == b"cache-control" and _FOREVER in value for name, value in reply.headers)
    body = _once(reply.body) if kept else _gzip(reply.body)
    headers: Headers = [*reply.headers, (b"content-encoding", b"gzip")]
    return Reply(reply.status, headers, body)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a caller accepts gzip: by name or with ``*``, and not with a weight of zero."""
    found = {}
    for part in accept_encoding.lower().split(","):
        name, _, parameters = part.partition(";")
        weight = parameters.strip().removeprefix("q=").strip() if parameters.strip().startswith("q=") else "1"
        found[name.strip()] = weight.strip("0.") != ""
    return found.get("gzip", found.get("*", False))


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, LEVEL, mtime=0)


@lru_cache(maxsize=64)
def _once(body: bytes) -> bytes:
    return _gzip(body)

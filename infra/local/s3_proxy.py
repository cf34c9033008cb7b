"""Passes presigned links through to the engine's S3.

A link is signed for the host that a device uses, so requests go on exactly as they came, Host header included;
the engine checks the signature. Bodies are streamed in both directions and never held.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import httpcore2 as httpcore

from infra.local import rules
from infra.local.asgi import send_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infra.local.asgi import Receive, Scope, Send
    from infra.local.rest_event import Head
    from infra.local.rules import Reply

log = logging.getLogger("local.s3")

PREFIX = "/lamplighter-"
"""First characters of every bucket's path."""

METHODS = ("GET", "HEAD", "PUT")

_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
_OURS = _HOP | {b"date"}
"""Headers of an answer that our own server sets."""


class S3Proxy:
    """A pass-through for one engine's S3."""

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._host = (parts.hostname or "127.0.0.1").encode()
        self._port = parts.port
        self._pool = httpcore.AsyncConnectionPool(max_connections=64, keepalive_expiry=30.0)

    def refusal(self, request: Head, request_id: str) -> Reply | None:
        """The answer to a request that S3 should not even see: only signed links pass."""
        if request.method not in METHODS:
            return rules.error(405, "method not allowed", request_id)
        if "X-Amz-Signature" not in dict(parse_qsl(request.query)):
            return rules.error(403, "only signed links are served here", request_id)
        return None

    async def forward(self, scope: Scope, request_id: str, receive: Receive, send: Send) -> None:
        """Hand the request to S3 and its answer to the client."""
        try:
            await self._forward(scope, receive, send)
        except httpcore.ConnectError:
            await send_reply(send, rules.error(502, "the bucket can't be reached", request_id))
        except ConnectionResetError as gone:
            log.info("%s", gone)  # there is nobody left to answer

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = scope["raw_path"] + b"?" + scope["query_string"]
        url = httpcore.URL(scheme=b"http", host=self._host, port=self._port, target=target)
        headers = [line for line in scope["headers"] if line[0] not in _HOP]
        body = _incoming(receive) if scope["method"] == "PUT" else None
        if body is not None and not any(name == b"content-length" for name, _ in headers):
            headers.append((b"transfer-encoding", b"chunked"))
        async with self._pool.stream(scope["method"].encode(), url, headers=headers, content=body) as answer:
            kept = [line for line in answer.headers if line[0].lower() not in _OURS]
            await send({"type": "http.response.start", "status": answer.status, "headers": kept})
            async for chunk in answer.aiter_stream():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def close(self) -> None:
        """Close all connections to the engine."""
        await self._pool.aclose()


async def _incoming(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client went away in the middle of its upload")
        if chunk := message.get("body", b""):
            yield chunk
        if not message.get("more_body"):
            return

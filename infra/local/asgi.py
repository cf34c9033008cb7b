"""Helpers for the ASGI apps here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from infra.local.rules import Reply

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

LINGER_BYTES = 64 * 1024 * 1024
LINGER_SECONDS = 5.0
"""Limits, in bytes and seconds, of reading on from a client that was answered during its upload. Closing at once would
reset the connection, and the client might lose the answer."""


async def send_reply(send: Send, reply: Reply, *, more: bool = False) -> None:
    """Send a complete answer; with ``more`` the request stays open."""
    headers = reply.headers
    if reply.status not in (204, 304):
        headers = [*headers, (b"content-length", str(len(reply.body)).encode())]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": more})


async def refuse(receive: Receive, send: Send, reply: Reply) -> None:
    """Answer a request whose body is still arriving: reply, read some of the rest, close."""
    headers = [*reply.headers, (b"connection", b"close")]
    await send_reply(send, Reply(reply.status, headers, reply.body), more=True)
    rest = LINGER_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while rest > 0:
                message = await receive()
                rest -= len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    break
    await send({"type": "http.response.body", "body": b"", "more_body": False})

"""Answers to requests, in the format that all routes use."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.http.headers import NO_SNIFFING, REQUEST_ID, request_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Scope = dict[str, Any]
    Send = Callable[[dict[str, Any]], Awaitable[None]]


def protected(send: Send) -> Send:
    """Wrap an ASGI ``send`` so that every answer has the headers ``request.NO_SNIFFING``.

    That includes refused websockets and objects streamed from the bucket.
    """

    async def sending(message: dict[str, Any]) -> None:
        if message["type"] in {"http.response.start", "websocket.http.response.start"}:
            others = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in _ALWAYS]
            message = message | {"headers": [*others, *_ALWAYS.items()]}
        await send(message)

    return sending


_ALWAYS = {name.lower().encode(): value.encode() for name, value in NO_SNIFFING.items()}
_LATER = frozenset({429, 503})


def come_back(status: int, given: str = "") -> dict[str, str]:
    """The header ``retry-after`` for statuses that need it: the server's value, otherwise a random one.

    Random times keep clients that are refused together from all coming back together.
    """
    if status not in _LATER:
        return {}
    return {"retry-after": given or str(random.randint(5, 15))}  # noqa: S311  # no secret


class Answers:
    """The answer to one request."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.request_id = request_id(dict(scope["headers"]).get(REQUEST_ID.encode(), b"").decode("latin-1"))
        self._send = send

    async def begin(self, status: int, headers: dict[str, str]) -> None:
        """Send status and headers."""
        always = {
            REQUEST_ID: self.request_id,
            "cache-control": "no-store",
        }
        pairs = [(key.encode(), value.encode("latin-1")) for key, value in (headers | always).items() if value]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def body(self, data: bytes, *, more: bool = False) -> None:
        """Send a piece of the body; the last piece has ``more`` false."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def refuse(self, status: int, body: dict[str, Any], *, more: bool = False) -> None:
        """Send an error; ``body`` holds ``error`` and any further members.

        With ``more`` the answer stays open until the caller sends an empty :meth:`body`.
        """
        data = msgspec.json.encode(body | {"request_id": self.request_id})
        headers = {"content-type": "application/json", "content-length": str(len(data))}
        if status == 401:  # HTTP
            headers["www-authenticate"] = 'Bearer realm="ManagementJWT"'
        headers |= come_back(status)
        if more:
            headers["connection"] = "close"
        await self.begin(status, headers)
        await self.body(data, more=more)

"""Answers to requests, in the shape that all routes have."""

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
    """``send`` for an ASGI app, with ``request.NO_SNIFFING`` in every answer.

    That includes refused websockets, and objects of the bucket that are passed on.
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
    """The header ``retry-after`` where a status asks a client to come back later: as the server gave it, else drawn.

    Clients that are refused together are given different times.
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
        """The head of an answer."""
        always = {
            REQUEST_ID: self.request_id,
            "cache-control": "no-store",
        }
        pairs = [(key.encode(), value.encode("latin-1")) for key, value in (headers | always).items() if value]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def body(self, data: bytes, *, more: bool = False) -> None:
        """A piece of its body; the last without ``more``."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def refuse(self, status: int, body: dict[str, Any], *, more: bool = False) -> None:
        """An answer that says why not: ``body`` holds ``error``, and what else there is to say.

        With ``more`` the request stays in the caller's hands until an empty :meth:`body`.
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

"""The server's side: one websocket to API Gateway for each client, in the text dialect."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from chalicelib import limits

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from websockets.asyncio.client import ClientConnection

_OPEN_SECONDS = 15


class Refused(Exception):  # an outcome, not an error
    """The server refused a client; ``status`` and ``body`` are its answer.

    ``retry_after``: seconds to wait as the server gave them; empty if it gave none.
    """

    def __init__(self, status: int, body: bytes, retry_after: str = "") -> None:
        super().__init__(f"refused with {status}")
        self.status = status
        self.body = body
        self.retry_after = retry_after


class Closed(Exception):  # an outcome, not an error
    """The connection to the server has ended."""


class Socket(Protocol):
    """A connection to the session logic."""

    async def send(self, text: str) -> None:
        """Send a frame; raises ``Closed``."""

    async def receive(self) -> str:
        """The next frame; raises ``Closed``."""

    async def close(self) -> None:
        """End it."""


class Upstream(Protocol):
    """Opens connections to the session logic."""

    async def open(self, headers: Mapping[str, str], query: Mapping[str, str], client: str) -> Socket:
        """Open one for a client with these headers and the address ``client``; raises ``Refused``."""


class ApiGateway:
    """Connections to a WebSocket API at ``url``, ``wss://host/stage``."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        self._url = url
        self._tls = tls

    async def open(self, headers: Mapping[str, str], query: Mapping[str, str], client: str) -> Socket:
        """As :class:`Upstream`."""
        url = f"{self._url}?{urlencode(query)}" if query else self._url
        try:
            connection = await connect(
                url,
                additional_headers={**headers, "X-Forwarded-For": client},
                ssl=self._tls,
                compression=None,
                user_agent_header=None,
                open_timeout=_OPEN_SECONDS,
                ping_interval=None,  # API Gateway's idle timeout counts only messages; the relay sends them itself
                max_size=limits.CONNECT_TEXT,
                max_queue=4,  # small, so that a slow client slows the server down
                write_limit=limits.CONNECT_FRAME,
                proxy=None,
            )
        except InvalidStatus as refused:
            answer = refused.response
            waits = answer.headers.get("Retry-After", "")
            raise Refused(answer.status_code, bytes(answer.body or b""), waits) from refused
        except (OSError, TimeoutError, WebSocketException) as error:
            raise Refused(503, b"") from error
        return _Connection(connection)


class _Connection:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, text: str) -> None:
        try:
            if len(text) <= limits.CONNECT_FRAME:
                await self._connection.send(text)
            else:  # one message, in frames of the size that API Gateway takes
                await self._connection.send(
                    text[start : start + limits.CONNECT_FRAME] for start in range(0, len(text), limits.CONNECT_FRAME)
                )
        except ConnectionClosed as closed:
            raise Closed from closed

    async def receive(self) -> str:
        try:
            data = await self._connection.recv()
        except ConnectionClosed as closed:
            raise Closed from closed
        return data if isinstance(data, str) else data.decode()

    async def close(self) -> None:
        with suppress(OSError, asyncio.CancelledError):
            await self._connection.close()

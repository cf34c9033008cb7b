"""Uvicorn's websockets, as the relay and the server on one machine use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent


class Websockets(WebSocketsSansIOProtocol):
    """Logs no error for a handshake that was refused, such as one for a device that is not connected."""

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message of the app."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            # Uvicorn 0.54 does not count this answer as the end of the handshake.
            self.handshake_complete = True

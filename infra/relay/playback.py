"""Recorded terminal sessions, played to a websocket."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from chalicelib.deviceconnect.rules import envelope, recording
from infra.relay.sockets import NORMAL, SUBPROTOCOL, credentials, refuse
from infra.relay.upstream import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

SLEEP_MOST = 10_000
"""Maximum milliseconds between two messages."""


class Recordings(Protocol):
    """A source of recordings."""

    async def get(self, session: str, headers: Mapping[str, str]) -> bytes:
        """The recording of a session, with the credentials in ``headers``; raises ``Refused``."""


async def play(
    scope: Scope, receive: Receive, send: Send, recordings: Recordings, *, session: str, sleep_ms: int
) -> None:
    """Play a session: its messages, with ``sleep_ms`` between two, then a normal close."""
    await receive()  # websocket.connect
    try:
        parts = recording.unpack(await recordings.get(session, credentials(scope)))
    except Refused as refused:
        await refuse(send, refused)
        return
    offered = scope.get("subprotocols") or []
    await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if SUBPROTOCOL in offered else None})
    gone = asyncio.create_task(_until_gone(receive))
    pause = min(max(sleep_ms, 0), SLEEP_MOST) / 1000
    try:
        with suppress(RuntimeError, OSError):
            for message in recording.messages(parts, session):
                await send({"type": "websocket.send", "bytes": envelope.encode(message)})
                await asyncio.wait({gone}, timeout=pause)
                if gone.done():
                    return
            await send({"type": "websocket.close", "code": NORMAL})
    finally:
        gone.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass

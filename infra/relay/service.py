"""The relay as a process: health checks, and a gradual stop."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from infra.relay.answers import protected
from infra.relay.sockets import refuse
from infra.relay.upstream import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from infra.relay.app import Relay

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

HEALTH = "/health"
SERVICE_RESTART = 1012
"""The close code that makes a client reconnect, which reaches another copy of the relay."""


class Service:
    """All paths of a relay's host. After :meth:`drain` has returned, no connection is open."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._open: dict[asyncio.Task[Any], Send | None] = {}
        self._leaving = False

    @property
    def connections(self) -> int:
        """The number of requests and websockets in progress."""
        return len(self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or websocket."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        send = protected(send)
        if not self._relay.serves(scope):
            await self._other(scope, receive, send)
        else:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101  # ASGI servers run each scope in one
            self._open[task] = send if scope["type"] == "websocket" else None
            try:
                await self._relay(scope, receive, send)
            except asyncio.CancelledError:
                # The ASGI server would log it as an error of each websocket that `drain` has ended.
                if not self._leaving:
                    raise
            finally:
                del self._open[task]

    async def drain(self, notice: float, spread: float) -> None:
        """Stop: fail health checks, then end websockets one by one, and wait for file transfers to finish.

        Args:
            notice: seconds until the first is ended, so that load balancers notice the failed health checks.
            spread: seconds over which they are ended, so that clients do not all reconnect at once.
        """
        self._leaving = True
        await asyncio.sleep(notice)
        tasks = list(self._open.items())
        random.shuffle(tasks)
        pause = spread / len(tasks) if tasks else 0
        for task, send in tasks:
            if send is None or task.done():
                continue
            with suppress(RuntimeError, OSError):
                await send({"type": "websocket.close", "code": SERVICE_RESTART, "reason": "going away"})
            task.cancel()
            await asyncio.sleep(pause)
        while self._open:
            await asyncio.wait(list(self._open))

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await refuse(send, Refused(403, b""))
            return
        status, body = 404, json.dumps({"error": "not found"})
        if scope["path"] == HEALTH:
            status = 503 if self._leaving else 200
            body = json.dumps({"status": "leaving" if self._leaving else "ok", "connections": self.connections})
        data = body.encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": data})


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

"""Runs an ASGI app on a port, in a thread."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn

from infra.local import memory
from infra.relay.protocol import Websockets

if TYPE_CHECKING:
    from websockets.frames import Frame

    from infra.local.asgi import AsgiApp
    from infra.local.certs import Tls

KEEP_ALIVE = 75
"""Seconds that an idle connection stays open: devices poll in bursts."""

BACKLOG = 2048
"""Connections that may wait to be accepted: all devices of a fleet may connect at once."""

PING = 30.0
"""Seconds between pings to websockets, and to wait for the pong: many clients never send pings (Mender)."""

MESSAGE = 8 * 1024 * 1024
"""Maximum bytes of a websocket message (Mender's); the relay and the text dialect have limits of their own."""

STOP_GRACE = 5
"""Seconds that running requests have to finish when the server stops."""


class PortBusyError(Exception):
    """The port cannot be bound; the message says which and why."""


class Server:
    """Binds a port at once; :meth:`start` serves an app on it, over HTTPS if ``tls`` is given.

    Port 0 means any free port.

    Raises:
        PortBusyError: the port cannot be bound.
    """

    def __init__(self, host: str, port: int, tls: Tls | None = None) -> None:
        self._tls = tls
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family)
        # asyncio does this for sockets it makes itself; without it every second answer waits 40 ms for an ACK.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            self._socket.listen(BACKLOG)  # only a listening socket keeps others from binding the same port
        except OSError as error:
            self._socket.close()
            raise PortBusyError(f"can't serve on {host} port {port}: {error.strerror}") from error
        self.port: int = self._socket.getsockname()[1]
        self._running: _Uvicorn | None = None
        self._thread: threading.Thread | None = None

    def url(self, host: str = "localhost") -> str:
        """The server's URL."""
        scheme = "https" if self._tls else "http"
        usual = 443 if self._tls else 80
        return f"{scheme}://{host}" + ("" if self.port == usual else f":{self.port}")

    def start(self, app: AsgiApp) -> None:
        """Start serving; returns once connections are answered.

        Raises:
            RuntimeError: the server did not start, because of the app or its certificate.
        """
        config = uvicorn.Config(
            app,
            ssl_certfile=self._tls.certificate if self._tls else None,
            ssl_keyfile=self._tls.key if self._tls else None,
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            ws=_Websockets,
            ws_ping_interval=PING,
            ws_ping_timeout=PING,
            ws_max_size=MESSAGE,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=STOP_GRACE,
        )
        memory.bound_tls_buffers()
        self._running = _Uvicorn(config)
        self._thread = threading.Thread(target=self._run, args=(self._running,), name="server", daemon=True)
        self._thread.start()
        self._running.settled.wait()
        if not self._running.started:
            raise RuntimeError("the server did not start; its log says why")

    def stop(self) -> None:
        """Wait some seconds for running requests, then close the port. May be repeated."""
        if self._running and self._thread:
            self._running.should_exit = True
            self._thread.join()
        self._socket.close()

    def _run(self, server: _Uvicorn) -> None:
        try:
            server.run(sockets=[self._socket])
        finally:
            server.settled.set()


FRAME_LIMIT = "frame_limit"
"""Key in a websocket scope's state for the maximum bytes of a frame. ASGI itself has messages only, no frames."""
FRAME_TOO_BIG = "local.frame_too_big"
"""The type of the message that an app receives in place of one that is too large."""


class _Websockets(Websockets):
    def handle_text(self, event: Frame) -> None:
        if not self._is_too_big(event):
            super().handle_text(event)

    def handle_cont(self, event: Frame) -> None:
        if not self._is_too_big(event):
            super().handle_cont(event)

    def _is_too_big(self, event: Frame) -> bool:
        limit: int | None = self.scope["state"].get(FRAME_LIMIT)
        too_big = limit is not None and len(event.data) > limit
        if too_big:
            refusal: Any = {"type": FRAME_TOO_BIG}
            self.queue.put_nowait(refusal)
        return too_big


class _Uvicorn(uvicorn.Server):
    """Uvicorn that reports when it serves, or that it failed to start, and gives memory back."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        self._memory = memory.Memory()

    async def on_tick(self, counter: int) -> bool:
        """What uvicorn does ten times a second."""
        self._memory.observe(len(self.server_state.connections))
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.settled.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Closing TLS properly waits for the other side, and idle clients do not answer.
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is None or cycle.response_complete:
                connection.transport.abort()
        await super().shutdown(sockets)

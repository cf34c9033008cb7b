"""API Gateway's WebSocket API on one machine: connections, the app's three functions, ``@connections``.

Its limits are API Gateway's, for clients of the text dialect: binary frames are closed with 1003, frames beyond 32 KB
and messages beyond 128 KB with 1009, idle connections after ten minutes, all after two hours.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from uuid import uuid4

from chalicelib import limits
from chalicelib.aws import push
from infra.local.handlers import BusyError
from infra.local.lambda_context import LambdaContext
from infra.local.rest_event import STAGE
from infra.local.server import FRAME_LIMIT, FRAME_TOO_BIG
from infra.local.template import ACCOUNT
from infra.relay.sockets import refuse
from infra.relay.upstream import Closed, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from chalice.app import Chalice

    from infra.local.asgi import Receive, Scope, Send
    from infra.local.handlers import Handlers

log = logging.getLogger("local.websockets")

API_ID = "websockets"
PATH = "/websockets"
"""The path of the text dialect, which on AWS is the WebSocket API's own host."""
SUBPROTOCOL = "base64.protomsg"
"""The subprotocol by which a client gets the text dialect at Mender's own paths."""

UNSUPPORTED, TOO_BIG, GOING_AWAY = 1003, 1009, 1001
FUNCTION_SECONDS = 29.0
WINDOW = 64
"""Messages that may wait for a slow client; senders of further ones wait."""
PATIENCE = 10.0
"""Seconds that a message may wait for a client that reads nothing; then the connection is closed."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """API Gateway's limits, in seconds; tests shorten them."""

    idle: float = float(limits.CONNECT_IDLE)
    life: float = float(limits.CONNECT_LIFE)


@contextmanager
def delivering(api: WebsocketApi) -> Iterator[None]:
    """Deliver the app's messages through ``api`` while the block runs, instead of posting them to AWS."""
    before = push.deliver_by(api)
    try:
        yield
    finally:
        push.deliver_by(before)


class WebsocketApi:
    """All connections of one API. It lives on one event loop.

    Clients connect through ``handlers``, which refuses them when too many come at once. What connected clients send,
    and their end, is handled in threads of its own, and never refused.
    """

    def __init__(self, app: Chalice, handlers: Handlers, *, threads: int = 16) -> None:
        self._app = app
        self._handlers = handlers
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="websocket")
        self._connections: dict[str, Connection] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self.limits = SocketLimits()
        self.overtaking = False
        """Whether functions handle one client's messages at the same time, as on AWS: they may overtake each other."""

    async def open(self, headers: Mapping[str, str], query: Mapping[str, str], client: str) -> Connection:
        """Open a connection if the app's ``$connect`` accepts it; raises ``Refused``. A device's ``query`` is empty."""
        self._loop = asyncio.get_running_loop()
        connection = Connection(self, secrets.token_urlsafe(11) + "=", client)
        self._connections[connection.id] = connection
        event = connection.event("CONNECT", "$connect")
        event["headers"] = dict(headers)
        event["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
        event["queryStringParameters"] = dict(query) or None
        answer = await self._connect(event, is_device=not query)
        status = answer.get("statusCode", 500)
        if status != 200:
            del self._connections[connection.id]
            waits = (answer.get("headers") or {}).get("Retry-After", "")
            raise Refused(status, str(answer.get("body") or "").encode(), waits)
        return connection

    async def _connect(self, event: dict[str, Any], *, is_device: bool) -> dict[str, Any]:
        """Run the app's ``$connect``, unless it would have to wait too long; then the answer is 429."""
        line = self._handlers.devices if is_device else self._handlers.users
        try:
            # Whether the client still waits is not known before the handshake has ended.
            return await self._handlers.run(line, partial(self._run, "$connect", event), asyncio.Event().wait)
        except BusyError as busy:
            return {"statusCode": 429, "headers": {"Retry-After": str(busy.retry_after)}}
        except TimeoutError:
            return {"statusCode": 504}

    async def call(self, route: str, event: dict[str, Any]) -> dict[str, Any]:
        """Run one of the app's functions; if it raises, the answer is 500, as on API Gateway."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, route, event)

    def _run(self, route: str, event: dict[str, Any]) -> dict[str, Any]:
        config = self._app.websocket_handlers[route]
        module, _, name = config.handler_string.rpartition(".")
        handler = getattr(__import__(module, fromlist=[name]), name)
        try:
            result: dict[str, Any] = handler(event, LambdaContext(config.name, FUNCTION_SECONDS))
        except Exception:
            log.exception("%s", config.name)
            return {"statusCode": 500}
        return result

    async def ended(self, connection: Connection) -> None:
        """Remove a connection and call the app's ``$disconnect``."""
        if self._connections.pop(connection.id, None) is not None:
            await self.call("$disconnect", connection.event("DISCONNECT", "$disconnect"))

    def end_what_is_left(self) -> None:
        """Call ``$disconnect`` for connections left over by a killed server: they ended with its process."""
        # Imported here: the app reads its settings at import, after the caller has set them.
        from chalicelib.deviceconnect.tables import ConnectionItem

        for left in ConnectionItem.scan(ConnectionItem.sk == "CONNECTION"):
            connection = Connection(self, left.connection, "")
            self._run("$disconnect", connection.event("DISCONNECT", "$disconnect"))

    def send(self, connection: str, text: str) -> bool:
        """``POST @connections/ID``, from any thread; False if the connection is gone."""
        found = self._connections.get(connection)
        if found is None or self._loop is None:
            return False
        if found.has_room:
            self._loop.call_soon_threadsafe(found.put, text)
            return True
        waiting = asyncio.run_coroutine_threadsafe(found.put_when_room(text), self._loop)
        return waiting.result(PATIENCE + 5)

    def close(self, connection: str) -> None:
        """``DELETE @connections/ID``, from any thread."""
        found = self._connections.get(connection)
        if found is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(found.end)

    def stop(self) -> None:
        """Accept no further calls."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def serve(self, scope: Scope, receive: Receive, send: Send, wish: Mapping[str, str]) -> None:
        """Serve one client of the text dialect, with API Gateway's limits. ``wish``: the query implied by its path."""
        await receive()  # websocket.connect
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"))) | dict(wish)
        client = scope.get("client")
        try:
            connection = await self.open(headers, query, client[0] if client else "")
        except Refused as refused:
            await refuse(send, refused)
            return
        scope.setdefault("state", {})[FRAME_LIMIT] = limits.CONNECT_FRAME
        spoken = SUBPROTOCOL if SUBPROTOCOL in (scope.get("subprotocols") or []) else None
        await send({"type": "websocket.accept", "subprotocol": spoken})
        up = asyncio.create_task(self._up(receive, connection))
        down = asyncio.create_task(self._down(send, connection))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED, timeout=self.limits.life)
            code = up.result() if up.done() and not up.exception() else GOING_AWAY
            if code is not None:
                with suppress(RuntimeError, OSError):
                    await send({"type": "websocket.close", "code": code})
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            await connection.close()

    async def _up(self, receive: Receive, connection: Connection) -> int | None:
        while True:
            try:
                async with asyncio.timeout(self.limits.idle):
                    message = await receive()
            except TimeoutError:
                if connection.idle < self.limits.idle:
                    continue
                return GOING_AWAY
            if message["type"] == "websocket.disconnect":
                return None
            if message["type"] == FRAME_TOO_BIG:
                return TOO_BIG
            if message.get("bytes") is not None:
                return UNSUPPORTED
            if len(message["text"].encode()) > limits.CONNECT_TEXT:
                return TOO_BIG
            await connection.send(message["text"])

    async def _down(self, send: Send, connection: Connection) -> None:
        with suppress(Closed):
            while True:
                await send({"type": "websocket.send", "text": await connection.receive()})


class Connection:
    """One connection from the client's side; the local gateway also uses it for clients of the binary dialect."""

    def __init__(self, api: WebsocketApi, connection: str, client: str) -> None:
        self.id = connection
        self._api = api
        self._client = client
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._room = asyncio.Event()
        self._ended = False
        self._active = time.monotonic()
        self._running: set[asyncio.Task[dict[str, Any]]] = set()

    @property
    def has_room(self) -> bool:
        """Whether a message can be queued without waiting."""
        return self._queue.qsize() < WINDOW

    @property
    def idle(self) -> float:
        """Seconds without a message in either direction."""
        return time.monotonic() - self._active

    def event(self, kind: str, route: str) -> dict[str, Any]:
        """The event that API Gateway passes to a function for this connection."""
        return {
            "requestContext": {
                "routeKey": route,
                "eventType": kind,
                "connectionId": self.id,
                "apiId": API_ID,
                "domainName": "localhost",
                "stage": STAGE,
                "accountId": ACCOUNT,
                "requestId": str(uuid4()),
                "identity": {"sourceIp": self._client},
            },
            "isBase64Encoded": False,
        }

    async def send(self, text: str) -> None:
        """Pass a client's message to the app; returns when it is handled, which keeps a client's messages in order."""
        if self._ended:
            raise Closed
        self._active = time.monotonic()
        event = self.event("MESSAGE", "$default")
        event["body"] = text
        handled = asyncio.create_task(self._api.call("$default", event))
        if self._api.overtaking:
            self._running.add(handled)
            handled.add_done_callback(self._running.discard)
            if len(self._running) < WINDOW:
                return
        await handled

    async def receive(self) -> str:
        """The next message for the client."""
        text = await self._queue.get()
        self._room.set()
        if text is None:
            raise Closed
        self._active = time.monotonic()
        return text

    async def close(self) -> None:
        """End the connection from the client's side."""
        self.end()
        await asyncio.gather(*self._running)
        await self._api.ended(self)

    def put(self, text: str) -> None:
        """Queue a message for the client."""
        if not self._ended:
            self._queue.put_nowait(text)

    async def put_when_room(self, text: str) -> bool:
        """Queue a message for the client as soon as there is room; False if that takes too long."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not self.has_room and not self._ended:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            self.end()
        self.put(text)
        return not self._ended

    def end(self) -> None:
        """End the connection from the server's side."""
        if not self._ended:
            self._ended = True
            self._queue.put_nowait(None)
            self._room.set()

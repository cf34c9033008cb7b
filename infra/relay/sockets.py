"""Bridges a client's binary websocket to a connection in the text dialect."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from chalicelib import limits
from chalicelib.deviceconnect.rules import envelope
from chalicelib.deviceconnect.rules.dialect import KEEP_ALIVE, GapError
from chalicelib.deviceconnect.rules.envelope import MalformedError
from infra.relay.answers import come_back
from infra.relay.translation import Incoming, Outgoing
from infra.relay.upstream import Closed, Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from chalicelib.deviceconnect.rules.envelope import Message
    from infra.relay.upstream import Socket, Upstream

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

KEEP_ALIVE_SECONDS = limits.CONNECT_IDLE - 60
"""Seconds between pings; API Gateway closes connections without messages."""

NORMAL, GOING_AWAY, PROTOCOL_ERROR, TRY_AGAIN = 1000, 1001, 1002, 1013
SUBPROTOCOL = "protomsg/msgpack"
_CREDENTIALS = {
    b"authorization": "Authorization",
    b"cookie": "Cookie",
    b"host": "Host",
    b"origin": "Origin",
    b"sec-fetch-site": "Sec-Fetch-Site",
    b"x-forwarded-host": "X-Forwarded-Host",
    b"x-lamplighter-client": "X-Lamplighter-Client",
    b"x-lamplighter-edge": "X-Lamplighter-Edge",
    b"x-men-requestid": "X-MEN-RequestID",
}


async def bridge(  # an ASGI scope with its two callables, and what differs between devices and users
    scope: Scope,
    receive: Receive,
    send: Send,
    upstream: Upstream,
    *,
    query: Mapping[str, str],
    most: int | None = None,
) -> None:
    """Serve one client until either side ends.

    Args:
        scope: of the websocket, with ``receive`` and ``send``, as ASGI has them.
        receive: receives from the client.
        send: sends to the client.
        upstream: opens the connection to the server.
        query: the server's query for a user's connection; empty for a device.
        most: maximum bytes of a message's body that the client takes; None: any.
    """
    await receive()  # websocket.connect
    try:
        socket = await upstream.open(credentials(scope), query, address(scope))
    except Refused as refused:
        # Device clients use only the status, and some fail on a body, which API Gateway always adds.
        await refuse(send, refused if query else Refused(refused.status, b"", refused.retry_after))
        return
    offered = scope.get("subprotocols") or []
    await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if SUBPROTOCOL in offered else None})
    up = asyncio.create_task(_up(receive, socket, Outgoing(one_session=bool(query))))
    down = asyncio.create_task(_down(socket, send, Incoming(most)))
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        # If the client closed, nothing is left to do; if the server did, or a message was malformed, close the client.
        code = next((task.result() for task in (up, down) if task.done() and not task.exception()), TRY_AGAIN)
        if code is not None:
            with suppress(RuntimeError, OSError):
                await send({"type": "websocket.close", "code": code})
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        await socket.close()


async def _up(receive: Receive, socket: Socket, outgoing: Outgoing) -> int | None:
    """Client to server; returns the code to close the client with, None if the client has closed.

    A terminal writes its output in many small messages, and each costs the server the same (an invocation, and two
    writes if the session is recorded). Messages that have already arrived are joined.
    """
    coming = asyncio.ensure_future(receive())
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=KEEP_ALIVE_SECONDS)
            try:
                if not done:
                    await socket.send(KEEP_ALIVE)
                    continue
                message = _message(coming.result())
                if message is None:
                    return None
                while True:
                    coming = asyncio.ensure_future(receive())
                    await asyncio.sleep(0)  # let the task run once: it is done if another message has already arrived
                    following = _following(coming)
                    if following is None or not envelope.continues(message, following, limits.CONNECT_JOINED):
                        break
                    message.body += following.body
                await socket.send(outgoing.frame(message))
            except MalformedError:
                return PROTOCOL_ERROR
            except Closed:
                return GOING_AWAY
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


def _message(event: dict[str, Any]) -> Message | None:
    """The client's next message; None if it has closed.

    Raises:
        MalformedError: the message is not an envelope.
    """
    if event["type"] == "websocket.disconnect":
        return None
    data = event.get("bytes")
    return envelope.decode(data if data is not None else event["text"].encode())


def _following(coming: asyncio.Future[dict[str, Any]]) -> Message | None:
    """The next message if it has already arrived. An error in it is raised when it is awaited."""
    if not coming.done() or coming.exception() is not None:
        return None
    with suppress(MalformedError):
        return _message(coming.result())
    return None


async def _down(socket: Socket, send: Send, incoming: Incoming) -> int | None:
    """Server to client; returns the code to close the client with."""
    while True:
        try:
            for data in await _next(socket, incoming):
                await send({"type": "websocket.send", "bytes": data})
        except Closed:
            return GOING_AWAY
        except (MalformedError, GapError):
            return TRY_AGAIN
        except (RuntimeError, OSError):  # the client disconnected while it was sent to
            return None


async def _next(socket: Socket, incoming: Incoming) -> Iterator[bytes]:
    try:
        async with asyncio.timeout(incoming.patience):
            text = await socket.receive()
    except TimeoutError:
        return incoming.lapse()
    return incoming.messages(text)


def credentials(scope: Scope) -> dict[str, str]:
    """The headers to pass on: credentials, a browser's origin and host, the client's address from an edge.

    Values that are not printable ASCII are left out: they are never valid, and some cannot be sent.
    """
    given = ((_CREDENTIALS.get(name), value.decode("latin-1")) for name, value in scope["headers"])
    found = {name: value for name, value in given if name and value.isascii() and value.isprintable()}
    if called := found.pop("Host", ""):
        found.setdefault("X-Forwarded-Host", called)
    return found


def address(scope: Scope) -> str:
    """The client's address."""
    client = scope.get("client")
    return str(client[0]) if client else ""


async def refuse(send: Send, refused: Refused) -> None:
    """Answer a handshake with the status that the server gave.

    API Gateway does not pass ``Retry-After`` on, so it is added here where a client should come back later.
    """
    headers = [(b"content-length", str(len(refused.body)).encode())]
    if refused.body:
        headers.append((b"content-type", b"application/json"))
    later = come_back(refused.status, refused.retry_after)
    headers += [(name.encode(), value.encode("latin-1")) for name, value in later.items()]
    await send({"type": "websocket.http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": refused.body})

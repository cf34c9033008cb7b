"""Streams uploads to a handler while they arrive."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from infra.local.rest_event import Event
from infra.local.streams import BodyStream, BodyTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from infra.local.asgi import Receive

    Attach = Callable[[str, BinaryIO], AbstractContextManager[None]]
    Invoke = Callable[[Event], Event | None]

AT_ONCE = 8
"""Maximum uploads at once; further ones wait."""

READ_AHEAD = 256 * 1024
"""Size in bytes of the buffer for a handler's small reads."""

TAIL = 0.2
"""Seconds to wait for the rest of a body after its handler has returned, such as the last line of a multipart body."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an upload."""

    result: Event | None
    """What the handler returned; None if it raised."""
    whole: bool
    """Whether the whole body was received."""
    too_large: bool = False
    """Whether the body exceeded the limit."""


class Uploads:
    """Runs handlers on bodies of any size, each in its own thread.

    ``attach`` makes a stream the body of the request with a given id; by default it is the app's own function.
    """

    def __init__(self, invoke: Invoke, attach: Attach | None = None) -> None:
        self._invoke = invoke
        self._attach = attach or _attach_stream
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upload")

    async def run(self, event: Event, limit: int | None, receive: Receive) -> Outcome:
        """Run the handler while the body arrives; return as soon as the handler does."""
        stream = BodyStream(limit)
        loop = asyncio.get_running_loop()
        handler = loop.run_in_executor(self._threads, self._handle, event, stream)
        pump = asyncio.create_task(_pump(receive, stream))
        result = await handler
        pending: set[asyncio.Task[Any]]
        _, pending = await asyncio.wait({pump}, timeout=TAIL)
        if pending:
            pump.cancel()
            await asyncio.wait({pump})
            return Outcome(result, whole=False)
        failure = pump.exception()
        if isinstance(failure, BodyTooLargeError):
            return Outcome(None, whole=False, too_large=True)
        return Outcome(result, whole=True)

    def close(self) -> None:
        """Accept no further uploads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _handle(self, event: Event, stream: BodyStream) -> Event | None:
        request_id: str = event["requestContext"]["requestId"]
        with io.BufferedReader(stream, READ_AHEAD) as body, self._attach(request_id, body):
            return self._invoke(event)


async def _pump(receive: Receive, stream: BodyStream) -> None:
    """Move the body from the connection into the stream.

    Raises:
        BodyTooLargeError: the body exceeds the limit.
        ConnectionResetError: the client disconnected; the reader gets an error too.
    """
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            gone = ConnectionResetError("the client disconnected during its upload")
            stream.fail(gone)
            raise gone
        await stream.feed(message.get("body", b""))
        more = message.get("more_body", False)
    stream.end()


def _attach_stream(request_id: str, stream: BinaryIO) -> AbstractContextManager[None]:
    # Imported when first needed: importing the app's modules reads its settings, which must be set by then.
    from chalicelib.http.body import attach_stream

    return attach_stream(request_id, stream)

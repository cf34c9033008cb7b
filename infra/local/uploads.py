"""Uploads that flow into a handler while they arrive."""

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
"""Uploads that run at once; further ones wait with their clients."""

READ_AHEAD = 256 * 1024
"""Bytes that a handler's small reads are served from."""

TAIL = 0.2
"""Seconds to wait for the end of a body whose handler saw enough, such as the last line of a multipart body.
It has arrived by then, or the client still sends."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an upload went."""

    result: Event | None
    """What the handler returned; None if it broke down."""
    whole: bool
    """Whether the body was taken in to its end."""
    too_large: bool = False
    """Whether it went beyond the limit."""


class Uploads:
    """Runs handlers on bodies of any size, in threads of their own.

    ``attach`` makes a stream the body of the request with a given id; the app's own if left out.
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
        """Take no more uploads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _handle(self, event: Event, stream: BodyStream) -> Event | None:
        request_id: str = event["requestContext"]["requestId"]
        with io.BufferedReader(stream, READ_AHEAD) as body, self._attach(request_id, body):
            return self._invoke(event)


async def _pump(receive: Receive, stream: BodyStream) -> None:
    """Move the body from the connection into the stream.

    Raises:
        BodyTooLargeError: it is.
        ConnectionResetError: the client went away; the reader learns it too.
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
    # Only when first needed: importing the app's modules reads its settings, which must be in place by then.
    from chalicelib.http.body import attach_stream

    return attach_stream(request_id, stream)

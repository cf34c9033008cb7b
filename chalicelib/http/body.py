"""Request bodies that are too large for memory: streams from the server that received them.

API Gateway passes the body in the event. A server that accepts larger uploads (the local gateway, the relay) leaves the
event's body empty and attaches the stream here under the request's id, where the same route reads it.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_streams: dict[str, BinaryIO] = {}
_lock = Lock()


@contextmanager
def attach_stream(request_id: str, stream: BinaryIO) -> Iterator[None]:
    """Make ``stream`` the body of the request with API Gateway's ``request_id`` while the block runs."""
    with _lock:
        _streams[request_id] = stream
    try:
        yield
    finally:
        with _lock:
            _streams.pop(request_id, None)


def open_body(request_id: str, raw: bytes) -> BinaryIO:
    """The body of a request as a stream: the attached one, or ``raw``."""
    with _lock:
        stream = _streams.get(request_id)
    return stream if stream is not None else io.BytesIO(raw)

"""A request body that arrives on the event loop and is read by a handler in a thread."""

from __future__ import annotations

import asyncio
import io
from collections import deque
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

WINDOW = 4 * 1024 * 1024
"""Bytes that may wait to be read; beyond it the client has to wait."""


class BodyTooLargeError(OSError):
    """The body is larger than the route allows."""


class BodyStream(io.RawIOBase):
    """A pipe: the event loop writes, and a thread reads from a blocking file.

    No more than :data:`WINDOW` bytes and one chunk are ever held. Wrap it in :class:`io.BufferedReader` to read
    exact amounts.
    """

    def __init__(self, limit: int | None) -> None:
        super().__init__()
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._changed = Condition()
        self._chunks: deque[memoryview] = deque()
        self._waiting = 0
        self._received = 0
        self._ended = False
        self._failure: Exception | None = None

    async def feed(self, chunk: bytes) -> None:
        """Add a chunk, and wait while too much is unread.

        Raises:
            BodyTooLargeError: this chunk exceeds the limit; the reader gets the same.
        """
        self._received += len(chunk)
        if self._limit is not None and self._received > self._limit:
            failure = BodyTooLargeError(f"the body is larger than {self._limit} bytes")
            self.fail(failure)
            raise failure
        with self._changed:
            if chunk and not self.closed:
                self._chunks.append(memoryview(chunk))
                self._waiting += len(chunk)
                self._changed.notify()
            full = self._waiting > WINDOW and not self.closed
            if full:
                self._room.clear()
        if full:
            await self._room.wait()

    def end(self) -> None:
        """Mark the body as complete."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def fail(self, failure: Exception) -> None:
        """Make the reader's next read raise."""
        with self._changed:
            self._failure = failure
            self._changed.notify()

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read available data into the buffer; returns 0 only at the end.

        Raises:
            OSError: the body is too large, or the client disconnected before its end.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._chunks or self._ended or self._failure)
            if self._failure:
                raise self._failure
            if not self._chunks:
                return 0
            chunk = self._chunks[0]
            count = min(len(buffer), len(chunk))
            buffer[:count] = chunk[:count]
            if count == len(chunk):
                self._chunks.popleft()
            else:
                self._chunks[0] = chunk[count:]
            self._waiting -= count
            if self._waiting <= WINDOW // 2:
                self._make_room()
        return count

    def close(self) -> None:
        """Discard unread data and any that still arrives."""
        with self._changed:
            super().close()
            self._chunks.clear()
            self._waiting = 0
            self._make_room()

    def _make_room(self) -> None:
        if not self._room.is_set():
            self._loop.call_soon_threadsafe(self._room.set)

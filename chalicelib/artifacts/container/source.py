"""Byte streams: what the parser reads from, and ways to make one.

Streams are read forward only. Each layer of the parser (the file, a tar member, a decompressor) is an object with
``read`` that reads from the layer below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from chalicelib.artifacts.container.errors import ArtifactTooLargeError, malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CHUNK = 128 * 1024  # bytes to read at a time; more does not improve throughput


class Read(Protocol):
    """A stream of bytes that can be read once, from its beginning to its end."""

    def read(self, size: int, /) -> bytes:
        """Between 1 and ``size`` bytes; empty only at the end."""
        ...


class ChunkReader:
    """A :class:`Read` over chunks of any sizes, which are fetched as needed.

    ``tee`` gets each chunk once, in order, before the parser sees it, so that a file can be stored while it is
    parsed.
    """

    def __init__(self, chunks: Iterable[bytes], tee: Callable[[bytes], object] | None = None) -> None:
        self._chunks = iter(chunks)
        self._tee = tee
        self._chunk = b""
        self._at = 0

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes of the current chunk; empty after the last."""
        while self._at >= len(self._chunk):
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            if self._tee:
                self._tee(chunk)
            self._chunk, self._at = chunk, 0
        piece = self._chunk[self._at : self._at + size]
        self._at += len(piece)
        return piece


class Source:
    """The artifact file itself. Counts the bytes that were read in ``size``, and reads at most ``most`` bytes.

    Raises:
        ArtifactTooLargeError: the file is longer than ``most`` bytes.
    """

    def __init__(self, stream: Read, most: int) -> None:
        self.size = 0
        self._stream = stream
        self._most = most

    def read(self, size: int, /) -> bytes:
        """Like the stream's own ``read``, whose errors are not caught."""
        data = self._stream.read(size)
        self.size += len(data)
        if self.size > self._most:
            raise ArtifactTooLargeError("Artifact file too large")
        return data


def chunks(stream: Read) -> Iterator[bytes]:
    """The rest of ``stream`` in pieces."""
    while data := stream.read(CHUNK):
        yield data


def read_exactly(stream: Read, size: int) -> bytes:
    """The next ``size`` bytes, which must be few.

    Raises:
        ArtifactError: the stream ends earlier.
    """
    data = read_up_to(stream, size)
    if len(data) < size:
        raise malformed("unexpected end of file")
    return data


def read_up_to(stream: Read, size: int) -> bytes:
    """The next ``size`` bytes, which must be few; fewer only at the end of the stream."""
    data = stream.read(size) if size else b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data

"""Byte streams: what the parser reads from, and ways to make one.

Everything here only goes forward. A layer of the parser (the file, a tar member, a decompressor) is something
with ``read``, built on another such thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from chalicelib.artifacts.container.errors import ArtifactTooLargeError, malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CHUNK = 128 * 1024  # bytes asked for at a time: beyond this throughput no longer grows


class Read(Protocol):
    """A stream of bytes that can be read once, from its beginning to its end."""

    def read(self, size: int, /) -> bytes:
        """Between 1 and ``size`` bytes; none only at the end."""
        ...


class ChunkReader:
    """A :class:`Read` over chunks of any sizes that are pulled as needed.

    ``tee`` is called with each chunk once, in order, before the parser sees any of it: that is how a file can
    be stored while it is parsed.
    """

    def __init__(self, chunks: Iterable[bytes], tee: Callable[[bytes], object] | None = None) -> None:
        self._chunks = iter(chunks)
        self._tee = tee
        self._chunk = b""
        self._at = 0

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes of the current chunk; none after the last."""
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
    """The artifact file itself: counts what was read of it in ``size``, and ends the reading at ``most`` bytes.

    Raises:
        ArtifactTooLargeError: the file goes on beyond ``most`` bytes.
    """

    def __init__(self, stream: Read, most: int) -> None:
        self.size = 0
        self._stream = stream
        self._most = most

    def read(self, size: int, /) -> bytes:
        """As the stream's own ``read``, whose errors pass through."""
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
    """The next ``size`` bytes, which the caller has found to be few.

    Raises:
        ArtifactError: the stream ends before.
    """
    data = read_up_to(stream, size)
    if len(data) < size:
        raise malformed("unexpected end of file")
    return data


def read_up_to(stream: Read, size: int) -> bytes:
    """The next ``size`` bytes, which the caller has found to be few; less only at the end of the stream."""
    data = stream.read(size) if size else b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data

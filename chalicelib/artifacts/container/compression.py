"""Decompression with limits.

Each decoder returns at most one chunk at a time, whatever the input would expand to, and raises an error if its memory
would exceed the limit. An :class:`Allowance` limits what all payloads of an artifact expand to together.
"""

from __future__ import annotations

import lzma
import sys
import zlib
from typing import TYPE_CHECKING, Protocol

from chalicelib.artifacts.container.errors import malformed
from chalicelib.artifacts.container.source import CHUNK, Read

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.artifacts.container.limits import Limits


class Allowance:
    """How much decompressors may still produce.

    That is at most ``most`` bytes, and beyond ``free`` bytes at most ``ratio`` times the compressed bytes.
    """

    def __init__(self, most: int, *, free: int, ratio: int) -> None:
        self._most = most
        self._free = free
        self._ratio = ratio
        self._taken = 0
        self._given = 0

    def count(self, taken: int, given: int) -> None:
        """Count ``taken`` compressed and ``given`` decompressed bytes; ArtifactError if that is too much."""
        self._taken += taken
        self._given += given
        if self._given > self._most:
            raise malformed(f"more than {self._most} bytes decompressed")
        if self._given > self._free and self._given > self._taken * self._ratio:
            raise malformed(f"decompresses to more than {self._ratio} times its size")


class _Decoder(Protocol):
    """The interface that the decoders of lzma and zstd share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's decoder with the interface of the other two."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        result = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        # After a full chunk the decoder may contain more output, even if it has all the input.
        self.needs_input = not self._zlib.unconsumed_tail and len(result) < max_length
        return result


class Expanded:
    """A :class:`Read` over what a compressed ``source`` expands to, concatenated streams included.

    The source is read to its end. ``read`` raises ArtifactError if the data is damaged, incomplete, followed by
    something else, or exceeds a limit.
    """

    def __init__(
        self,
        source: Read,
        decoder: Callable[[], _Decoder],
        damage: type[Exception],
        allowance: Allowance,
        frames: int,
    ) -> None:
        self._source = source
        self._make = decoder
        self._damage = damage
        self._allowance = allowance
        self._frames = frames
        self._decoder = self._next_decoder()
        self._ready = b""
        self._at = 0

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` decompressed bytes; none at the end."""
        if self._at >= len(self._ready):
            self._ready, self._at = self._more(), 0
        piece = self._ready[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def _more(self) -> bytes:
        """The next decompressed bytes; none at the end."""
        while True:
            data = b""
            if self._decoder.eof:
                data = self._decoder.unused_data or self._take()
                if not data:
                    return b""
                self._decoder = self._next_decoder()
            elif self._decoder.needs_input:
                data = self._take()
                if not data:
                    raise malformed("unexpected end of compressed data")
            try:
                result = self._decoder.decompress(data, CHUNK)
            except self._damage as error:
                raise malformed(f"decompression failed: {error}") from None
            self._allowance.count(0, len(result))
            if result:
                return result

    def _take(self) -> bytes:
        data = self._source.read(CHUNK)
        self._allowance.count(len(data), 0)
        return data

    def _next_decoder(self) -> _Decoder:
        self._frames -= 1
        if self._frames < 0:
            raise malformed("too many compressed streams in one tar")
        return self._make()


def expand(source: Read, suffix: str, allowance: Allowance, limits: Limits) -> Read:
    """``source``, decompressed by its suffix: ``.gz``, ``.xz``, ``.zst``; with none it is not compressed."""
    if suffix == ".gz":
        return Expanded(source, _Gzip, zlib.error, allowance, limits.frames)
    if suffix == ".xz":
        return Expanded(
            source,
            lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=limits.decoder_memory),
            lzma.LZMAError,
            allowance,
            limits.frames,
        )
    if suffix == ".zst":
        if sys.version_info >= (3, 14):
            # Imported here: which library there is depends on the version of Python.
            from compression import zstd
        else:
            from backports import zstd
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: limits.zstd_window_log}
        return Expanded(
            source,
            lambda: zstd.ZstdDecompressor(options=options),
            zstd.ZstdError,
            allowance,
            limits.frames,
        )
    return source

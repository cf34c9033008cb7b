"""A minimal HTTP/1.1 client for a thousand devices in one process, with asyncio streams and kept-alive connections.

A general client spends more CPU on one request than the server does. This one knows what servers of the API
send: a length, chunks, or a body that ends with the connection. It follows no redirects and has no cookies.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

CHUNK = 256 * 1024
"""Bytes to read at once from a body, and the size of a connection's buffer."""

CLOSING = 5.0
"""Maximum seconds to wait until a connection is closed; with TLS the other side takes part in that."""

Sink = Callable[[bytes], object]


class ConnectionLostError(Exception):
    """No complete answer: the connection was refused, cut or silent for too long, or the answer was malformed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. ``headers`` have lower-case names; ``body`` is empty if a sink received it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """The server of a connection."""

    secure: bool
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> tuple[Origin, str]:
        """Split a URL into its origin and the request target."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(secure, parts.hostname or "", parts.port or (443 if secure else 80)), target

    @property
    def header(self) -> str:
        """The header ``Host``."""
        usual = 443 if self.secure else 80
        return self.host if self.port == usual else f"{self.host}:{self.port}"


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: bool = False


class Client:
    """Sends requests over at most ``connections`` connections at once; further ones wait.

    Usable as an async context manager. ``ca`` is a PEM file with the CA to trust.
    """

    def __init__(self, url: str, *, ca: Path | None = None, connections: int = 32, patience: float = 60) -> None:
        self.url = url.rstrip("/")
        self._tls = ssl.create_default_context(cafile=ca)
        self._turn = asyncio.Semaphore(connections)
        self._idle: dict[Origin, list[_Connection]] = {}
        self._patience = patience

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in [each for kept in self._idle.values() for each in kept]:
            await _close(connection)
        self._idle.clear()

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] = b"",
        *,
        sink: Sink | None = None,
        stop_after: int | None = None,
    ) -> Answer:
        """Send a request and read its answer.

        Args:
            method: GET, POST, ...
            url: a complete URL, or a path on this client's server.
            headers: additional headers. They must include ``Content-Length`` if the body is in parts.
            body: whole or in parts.
            sink: receives the body of a 2xx answer part by part; the answer then has no body.
            stop_after: close the connection after so many bytes of the body, like a device that loses its network.

        Raises:
            ConnectionLostError: there was no complete answer.
        """
        origin, target = Origin.of(url if "://" in url else self.url + url)
        fields = {"Host": origin.header, **(headers or {})}
        if isinstance(body, bytes) and (body or method in ("POST", "PUT", "PATCH")):
            fields["Content-Length"] = str(len(body))
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        head = "\r\n".join(lines).encode()
        async with self._turn:
            while True:
                connection = await self._connect(origin)
                try:
                    async with asyncio.timeout(self._patience):
                        return await self._exchange(origin, connection, method, head, body, sink, stop_after)
                except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
                    await _close(connection)
                    # The server may close a kept-alive connection just when it is used again.
                    stale = connection.used and isinstance(error, asyncio.IncompleteReadError | ConnectionError)
                    if stale and isinstance(body, bytes):
                        continue
                    raise ConnectionLostError(f"{method} {target}: {error!r}") from error
                except BaseException:
                    connection.writer.close()
                    raise

    async def _connect(self, origin: Origin) -> _Connection:
        kept = self._idle.setdefault(origin, [])
        while kept:
            connection = kept.pop()
            if not connection.reader.at_eof():
                connection.used = True
                return connection
            await _close(connection)
        try:
            reader, writer = await asyncio.open_connection(
                origin.host, origin.port, ssl=self._tls if origin.secure else None, limit=CHUNK
            )
        except OSError as error:
            raise ConnectionLostError(f"{origin.header}: {error}") from error
        return _Connection(reader, writer)

    async def _exchange(
        self,
        origin: Origin,
        connection: _Connection,
        method: str,
        head: bytes,
        body: bytes | Iterable[bytes],
        sink: Sink | None,
        stop_after: int | None,
    ) -> Answer:
        writer = connection.writer
        if isinstance(body, bytes):
            writer.write(head + body)
        else:
            writer.write(head)
            for part in body:
                writer.write(part)
                await writer.drain()
        status, headers = _head(await connection.reader.readuntil(b"\r\n\r\n"))
        # From here on a failure is not caused by a stale connection.
        connection.used = False
        parts: list[bytes] = []
        take = sink if sink and 200 <= status < 300 else parts.append
        whole = True
        if method != "HEAD" and status not in (204, 304):
            whole = await _read_body(connection.reader, headers, take, stop_after)
        if whole and headers.get("connection", "").lower() != "close":
            self._idle[origin].append(connection)
        else:
            await _close(connection)
        return Answer(status, headers, b"".join(parts))


def _head(raw: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = raw.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.lower()] = value.strip()
    return int(first.split(" ", 2)[1]), headers


async def _read_body(
    reader: asyncio.StreamReader, headers: Mapping[str, str], take: Sink, stop_after: int | None
) -> bool:
    """Pass the body to ``take``; returns whether the connection can be used again."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            take(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        return True
    length = headers.get("content-length")
    left = float("inf") if length is None else int(length)
    if stop_after is not None:
        left = min(left, stop_after)
    while left > 0:
        part = await reader.read(int(min(left, CHUNK)))
        if not part:
            if length is None:
                return False
            raise EOFError("the connection ended in the middle of the body")
        take(part)
        left -= len(part)
    return length is not None and stop_after is None


async def _close(connection: _Connection) -> None:
    connection.writer.close()
    # Errors of a connection that is being dropped do not matter, nor does it matter if it takes long.
    await asyncio.wait([asyncio.ensure_future(_closed(connection))], timeout=CLOSING)


async def _closed(connection: _Connection) -> None:
    with suppress(OSError):
        await connection.writer.wait_closed()

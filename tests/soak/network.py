"""The network between the devices and the server: a TCP proxy that cuts connections, and delays and repeats requests.

The device that makes a call draws its fault, so that a seed gives each device the same ones, and names it in a header,
which the proxy removes. Whatever the fault, the server has finished with a request before the device notices anything:
otherwise a request that was overtaken by its own repetition would take effect later, and nobody could say what the
server's state has to be.

The devices speak HTTP to the proxy, and the proxy TLS to the server.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.simulator.client import CHUNK

HEADER = "X-Fault"

FAULTS = {
    "delay": 5,
    "repeat": 4,
    "lose request": 2,
    "cut request": 1,
    "lose answer": 3,
    "cut answer": 1,
}
"""The faults of a call, with their weights. *Repeat* sends the same bytes on two connections at once, and drops the
second answer."""

DELAY = 1.5
"""Maximum delay in seconds."""


def draw(rng: random.Random, share: float) -> str:
    """The fault of a call, which has one with the probability ``share``; empty for none."""
    if rng.random() >= share:
        return ""
    fault = rng.choices(list(FAULTS), list(FAULTS.values()))[0]
    return f"delay {rng.uniform(0, DELAY):.2f}" if fault == "delay" else fault


@dataclass
class Proxy:
    """The proxy. A context manager."""

    port: int
    ca: Path
    connections: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Its address."""
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._tls = ssl.create_default_context(cafile=self.ca)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self.connections:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        server: _Link | None = None
        try:
            while True:
                head, fault = _without_fault(await reader.readuntil(b"\r\n\r\n"))
                body = await reader.readexactly(_length(head))
                if fault.startswith("delay "):
                    await asyncio.sleep(float(fault.removeprefix("delay ")))
                elif fault == "lose request":
                    return
                server = server or await self._connect()
                if _upgrades(head):
                    await _pass_on(head, reader, writer, server)
                    return
                if not await self._exchange(head + body, fault, writer, server):
                    return
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            return
        finally:
            self.connections.discard(writer)
            writer.close()
            if server is not None:
                server.writer.close()

    async def _connect(self) -> _Link:
        return _Link(*await asyncio.open_connection("localhost", self.port, ssl=self._tls, limit=CHUNK))

    async def _exchange(self, request: bytes, fault: str, writer: asyncio.StreamWriter, server: _Link) -> bool:
        """Send a request, and pass the answer on; returns whether the connection can be used again."""
        if fault == "cut request":
            server.writer.write(request[: len(request) // 2])
            await server.writer.drain()
            return False
        second = asyncio.create_task(self._repeat(request)) if fault == "repeat" else None
        server.writer.write(request)
        answer, ends = await _answer(server.reader, is_head=request.startswith(b"HEAD "))
        if second is not None:
            await second
        if fault == "lose answer":
            return False
        writer.write(answer[: len(answer) // 2] if fault == "cut answer" else answer)
        await writer.drain()
        return not ends and fault != "cut answer"

    async def _repeat(self, request: bytes) -> None:
        with suppress(OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            link = await self._connect()
            try:
                link.writer.write(request)
                await _answer(link.reader, is_head=False)
            finally:
                link.writer.close()


@dataclass
class _Link:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


def _without_fault(head: bytes) -> tuple[bytes, str]:
    lines = head.split(b"\r\n")
    name = f"{HEADER}: ".encode()
    fault = next((line.removeprefix(name).decode() for line in lines if line.startswith(name)), "")
    return b"\r\n".join(line for line in lines if not line.startswith(name)), fault


def _length(head: bytes) -> int:
    return int(_field(head, b"content-length") or 0)


def _upgrades(head: bytes) -> bool:
    return _field(head, b"upgrade").lower() == b"websocket"


def _field(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return b""


async def _answer(reader: asyncio.StreamReader, *, is_head: bool) -> tuple[bytes, bool]:
    """The bytes of a whole answer, and whether the connection ends with it."""
    head = await reader.readuntil(b"\r\n\r\n")
    ends = _field(head, b"connection").lower() == b"close"
    if is_head or head.split(b" ", 2)[1] in (b"204", b"304"):
        return head, ends
    if _field(head, b"transfer-encoding").lower() != b"chunked":
        return head + await reader.readexactly(_length(head)), ends
    parts = [head]
    while True:
        parts.append(await reader.readuntil(b"\r\n"))
        size = int(parts[-1].split(b";")[0], 16)
        parts.append(await reader.readexactly(size + 2))
        if not size:
            return b"".join(parts), ends


async def _pass_on(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: _Link) -> None:
    """Pass everything on in both directions until one side ends: a websocket."""
    server.writer.write(head)

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()

    ways = [asyncio.create_task(copy(reader, server.writer)), asyncio.create_task(copy(server.reader, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

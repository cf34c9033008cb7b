"""Servers on loopback that simulate external ones: they store requests and give configured answers."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from infra.local.certs import Tls


@dataclass(frozen=True)
class Received:
    """A received request. Header names are in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


Answering = Callable[[socket.socket, Received], None]
"""How the server uses a connection after reading a request."""


def answer(status: str = "204 No Content", body: bytes = b"", *more: str) -> bytes:
    """An answer's bytes."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(text: bytes) -> Answering:
    """Answer with these bytes."""
    return lambda sock, _: sock.sendall(text)


@dataclass
class Listener:
    """A server on a free port. Usable as a context manager."""

    answering: Answering = field(default=says(answer()))
    host: str = "127.0.0.1"
    port: int = 0
    tls: Tls | None = None
    received: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.tls else ''}://{host}:{self.port}"

    def __enter__(self) -> Self:
        self._socket = socket.create_server(
            (self.host, self.port), family=socket.AF_INET6 if ":" in self.host else socket.AF_INET
        )
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # Only the shutdown wakes up a blocked accept.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        context = None
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.tls.certificate, self.tls.key)
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(sock, context), daemon=True).start()

    def _talk(self, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        # A caller may disconnect at any point, or use another protocol.
        with sock, suppress(OSError, ValueError):
            wire = context.wrap_socket(sock, server_side=True) if context else sock
            with wire:
                sent = _read(wire)
                self.received.append(sent)
                self.answering(wire, sent)


def _read(sock: socket.socket) -> Received:
    with sock.makefile("rb") as file:
        line = file.readline().decode("latin-1").rstrip()
        headers = {}
        while header := file.readline().decode("latin-1").rstrip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        return Received(line, headers, file.read(int(headers.get("content-length", "0"))))

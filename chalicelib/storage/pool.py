"""Connections to one HTTP endpoint, kept open between requests and shared by threads.

This is the HTTP/1.1 that AWS's JSON services speak, and no more: one request at a time, and answers with a
``Content-Length`` (RFC 9112). ``http.client`` would take 90 us longer for each request, most of it to parse headers as
those of a mail.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections import deque
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from chalicelib.storage import credentials

if TYPE_CHECKING:
    import ssl

_KEPT: Final = 64
"""Idle connections that are kept: the local gateway's threads use some, a Lambda uses one."""
_FRESH: Final = 0.5
"""Seconds for which an idle connection is used again without a look at whether the other side has closed it."""
_AT_ONCE: Final = 65_536
_HEAD: Final = 65_536
"""Maximum bytes of an answer's head."""


class BadAnswer(Exception):
    """The answer is incomplete or malformed."""


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    head: bytes
    """The status line and the headers."""
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The value of a header by its name in lower case; None if there is none."""
        return _header(self.head, self.head.lower(), name)


def _header(head: bytes, lowered: bytes, name: bytes) -> bytes | None:
    # Headers are looked for and not all parsed, because few are ever needed.
    start = lowered.find(b"\r\n%b:" % name)
    if start < 0:
        return None
    start += len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else None].strip()


class Pool:
    """Sends whole requests and reads whole answers. The most recently used connection is used first."""

    def __init__(self, url: str, connect: float) -> None:
        """``connect``: seconds for each step of opening a connection."""
        parts = urlsplit(url)
        self._tls = parts.scheme == "https"
        self._place = parts.hostname or "", parts.port or (443 if self._tls else 80)
        self._connect = connect
        self._idle: deque[_Connection] = deque()  # appending and popping need no lock
        self.host = parts.netloc.removesuffix(":443" if self._tls else ":80")
        """The ``Host`` header: with the port only if it is not the default."""

    def exchange(self, request: bytes, silence: float) -> Answer:
        """Send ``request`` and read its answer. ``silence``: seconds to wait for the next bytes.

        Raises:
            OSError: there is no connection, it broke, or nothing arrived for too long.
            BadAnswer: the answer is incomplete or malformed.
        """
        connection = self._take(min(self._connect, silence))
        try:
            connection.wait_at_most(silence)
            connection.send(request)
            answer, closes = connection.read_answer()
        except BaseException:
            # The rest of an answer may still arrive on it, and other idle connections may be dead too.
            connection.close()
            self.close()
            raise
        if closes or len(self._idle) >= _KEPT:
            connection.close()
        else:
            connection.idle_since = time.time()
            self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Close idle connections."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _take(self, connect: float) -> _Connection:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if 0 <= time.time() - connection.idle_since < _FRESH or connection.is_quiet():
                return connection
            connection.close()
        return _Tls(self._place, connect) if self._tls else _Connection(self._place, connect)


class _Connection:
    """A connection over TCP.

    Its socket blocks, with the system's own time limits. Python's time limits would need a system call more for each
    time something is sent or read.
    """

    idle_since = 0.0
    """When it was put into the pool, in seconds since 1970. The monotonic clock may stand still while a Lambda is
    frozen."""

    def __init__(self, place: tuple[str, int], connect: float) -> None:
        self._limit = 0.0
        self._socket = socket.create_connection(place, connect)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(None)

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def is_quiet(self) -> bool:
        """False if the other side has closed it (there is an end to read), as happens while a Lambda is frozen."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def wait_at_most(self, seconds: float) -> None:
        """Limit each wait for the other side."""
        if seconds != self._limit:
            # A limit of zero would mean none.
            whole = max(1, int(seconds * 1_000_000))
            limit = struct.pack("ll", *divmod(whole, 1_000_000))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            self._limit = seconds

    def send(self, data: bytes) -> None:
        """Send everything."""
        self._socket.sendall(data)

    def read(self) -> bytes:
        """What has arrived, at least one byte; nothing at the end."""
        return self._socket.recv(_AT_ONCE)

    def read_answer(self) -> tuple[Answer, bool]:
        """The answer, and whether the other side closes the connection after it."""
        received = self.read()
        while (end := received.find(b"\r\n\r\n")) < 0:
            more = self.read() if len(received) <= _HEAD else b""
            if not more:
                raise BadAnswer("the answer has no head")
            received += more
        head = received[:end]
        lowered = head.lower()
        length = _header(head, lowered, b"content-length") or b""
        version, _, status = head[:12].partition(b" ")
        if version != b"HTTP/1.1" or len(status) != 3 or not status.isdigit() or not length.isdigit():
            raise BadAnswer(head[:100].decode("latin-1"))
        parts = [received[end + 4 :]]
        missing = int(length) - len(parts[0])
        while missing > 0:
            more = self.read()
            if not more:
                raise BadAnswer("the answer is cut short")
            parts.append(more)
            missing -= len(more)
        if missing < 0:
            raise BadAnswer("the answer is longer than it says")
        closes = _header(head, lowered, b"connection")
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        return Answer(int(status), head, body), closes is not None and closes.lower() == b"close"


class _Tls(_Connection):
    """A connection over TLS, which is computed in memory, so that it needs no further system calls either."""

    def __init__(self, place: tuple[str, int], connect: float) -> None:
        # Imported here: without TLS, as on one machine, it is not needed.
        import ssl

        super().__init__(place, connect)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trust().wrap_bio(self._incoming, self._outgoing, server_hostname=place[0])
        self._wants = ssl.SSLWantReadError
        try:
            self.wait_at_most(connect)
            self._shake_hands()
        except BaseException:
            self.close()
            raise

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except self._wants:
                self._flush()
                self._receive()
            else:
                self._flush()
                return

    def send(self, data: bytes) -> None:
        self._tls.write(data)
        self._flush()

    def read(self) -> bytes:
        while True:
            try:
                return self._tls.read(_AT_ONCE)
            except self._wants:
                self._receive()

    def _flush(self) -> None:
        if waiting := self._outgoing.read():
            self._socket.sendall(waiting)

    def _receive(self) -> None:
        received = self._socket.recv(_AT_ONCE)
        if received:
            self._incoming.write(received)
        else:
            self._incoming.write_eof()


@cache
def trust() -> ssl.SSLContext:
    """The certificates to trust: the system's, or by ``AWS_CA_BUNDLE``, as every AWS SDK. Takes 35 ms and more."""
    # Imported here: without TLS, as on one machine, it is not needed.
    import ssl

    return ssl.create_default_context(cafile=credentials.ca_bundle())

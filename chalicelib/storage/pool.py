"""Connections to one HTTP endpoint, kept open between requests and shared by threads."""

from __future__ import annotations

import select
import ssl
from collections import deque
from contextlib import suppress
from functools import cache
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import botocore.session

if TYPE_CHECKING:
    from http.client import HTTPMessage

_KEPT: Final = 64
"""Idle connections that are kept: the local gateway's threads use some, a Lambda uses one."""


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    headers: HTTPMessage
    body: bytes


class Pool:
    """Sends whole requests and reads whole answers. The most recently used connection is used first."""

    def __init__(self, url: str, connect: float) -> None:
        """``connect``: seconds for each step of opening a connection."""
        parts = urlsplit(url)
        self._tls = parts.scheme == "https"
        self._name = parts.hostname or ""
        self._port = parts.port or (443 if self._tls else 80)
        self._connect = connect
        self._idle: deque[HTTPConnection] = deque()  # appending and popping need no lock
        self.host = parts.netloc.removesuffix(":443" if self._tls else ":80")
        """The ``Host`` header: with the port only if it is not the default."""

    def exchange(self, request: bytes, silence: float) -> Answer:
        """Send ``request`` and read its answer. ``silence``: seconds to wait for the next bytes.

        It makes a single write and reads with a plain ``HTTPResponse``. ``HTTPConnection.request`` examines each header
        again and takes 74 us over TLS instead of 44; urllib3 takes 175.

        Raises:
            OSError: there is no connection, it broke, or nothing arrived for too long.
            HTTPException: the answer is incomplete or malformed.
        """
        connection = self._take(min(self._connect, silence))
        try:
            connection.sock.settimeout(silence)
            connection.sock.sendall(request)
            response = HTTPResponse(connection.sock, method="POST")
            response.begin()
            body = response.read()
        except BaseException:
            # The rest of an answer may still arrive on it, and other idle connections may be dead too.
            connection.close()
            self.close()
            raise
        if response.will_close or len(self._idle) >= _KEPT:
            connection.close()
        else:
            self._idle.append(connection)
        return Answer(response.status, response.headers, body)

    def close(self) -> None:
        """Close idle connections."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _take(self, connect: float) -> HTTPConnection:
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                if _is_quiet(connection):
                    return connection
                connection.close()
        made = (
            HTTPSConnection(self._name, self._port, timeout=connect, context=_trust())
            if self._tls
            else HTTPConnection(self._name, self._port, timeout=connect)
        )
        try:
            made.connect()
        except BaseException:
            made.close()
            raise
        return made


def _is_quiet(connection: HTTPConnection) -> bool:
    """False if the other side has closed it (there is an end to read), as happens while a Lambda is frozen."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)


@cache
def _trust() -> ssl.SSLContext:
    """The certificates to trust: the system's, or by ``AWS_CA_BUNDLE``, as every AWS SDK. Takes 35 ms and more."""
    return ssl.create_default_context(cafile=botocore.session.get_session().get_config_variable("ca_bundle"))

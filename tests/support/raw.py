"""Requests as bytes, for those that no client library sends."""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from infra.local.testing import LocalServer


def raw(server: LocalServer, sent: bytes) -> tuple[int, bytes]:
    """Status and body of the first answer to these bytes; 400 if the server closes the connection."""
    url = urlsplit(server.url)
    with ExitStack() as opened:
        wire: socket.socket = opened.enter_context(socket.create_connection(("127.0.0.1", url.port or 443), timeout=10))
        if server.ca is not None:
            context = ssl.create_default_context(cafile=str(server.ca))
            wire = opened.enter_context(context.wrap_socket(wire, server_hostname="localhost"))
        wire.sendall(sent)
        answer = http.client.HTTPResponse(wire)
        try:
            answer.begin()
        except http.client.BadStatusLine:
            return 400, b""
        return answer.status, answer.read()

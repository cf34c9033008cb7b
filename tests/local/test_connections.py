"""Many connections at once: what each takes of the server's memory, and that it is given back."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.support.running import RunningServer, free_port
from tests.support.usage import Memory
from tests.support.waiting import until

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

MANY = 500
MOST = 60 / 1024
"""MB for each connection; 44 KB were measured."""


def test_a_tls_connection_takes_little_memory_and_gives_it_back(tmp_path: Path) -> None:
    with RunningServer(tmp_path / "data", free_port()) as running, ExitStack() as kept:
        trust, port = running.trust(), int(running.facts["url"].rpartition(":")[2])
        for _ in range(10):  # the first ones also load what all share
            kept.enter_context(connected(trust, port))
        before = Memory.of(running.pid).now

        with ExitStack() as herd:
            for _ in range(MANY):
                herd.enter_context(connected(trust, port))
            taken = Memory.of(running.pid).now - before

        assert taken / MANY < MOST
        until("most of it is given back", lambda: Memory.of(running.pid).now - before < taken / 2)


def connected(trust: ssl.SSLContext, port: int) -> socket.socket:
    """A connection over which a request was answered."""
    connection = trust.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
    connection.sendall(b"GET /local/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 204")
    return connection

"""Makes a call: resolves once, checks, connects to a checked address; limits time and size; no redirects, no proxy."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple, Self

from chalicelib import limits, settings
from chalicelib.outbound import targets
from chalicelib.outbound.targets import Address, Failed, Network, OutboundError, Target

_PIECE: Final = 64 * 1024


class Answer(NamedTuple):
    """The answer, whatever its status, including redirects. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def parse(url: str) -> Target:
    """Parse ``url`` by this server's settings. Nothing is resolved: see :func:`request` for that.

    Raises:
        Refused: the URL is not allowed.
    """
    return targets.parse(url, ports=_ports(), networks=_networks())


def request(
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    timeout: float = limits.OUTBOUND_TIME,
    max_answer: int = limits.OUTBOUND_ANSWER,
) -> Answer:
    """Call a server that a tenant named.

    Args:
        method: the HTTP method.
        url: ``https://...`` or ``http://...``.
        headers: besides ``Host`` and the body's length.
        body: the request's body.
        timeout: seconds for everything: resolving, connecting, TLS, sending, and the whole answer.
        max_answer: maximum bytes of the answer's body.

    Raises:
        Refused: the URL, or an address of its host, is not allowed. Nothing was sent.
        Failed: no connection, no valid certificate, no answer in time, or an answer that is too large.
    """
    deadline = time.monotonic() + timeout
    target = parse(url)
    addresses = _checked(target, deadline)
    try:
        with _connected(target, addresses, deadline, 2 * max_answer + limits.OUTBOUND_FRAMING) as wire:
            return _exchange(wire, target, (method, dict(headers or {}), body), max_answer)
    except OutboundError:
        raise
    except TimeoutError as error:
        raise Failed("no answer in time") from error
    except ssl.SSLCertVerificationError as error:
        raise Failed(f"the certificate is not valid: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise Failed(f"TLS failed: {error.reason or 'handshake'}") from error
    except OSError as error:
        raise Failed(f"the connection failed: {error.strerror or 'closed'}") from error
    # ValueError: malformed sizes of chunks, and malformed headers of ours.
    except (http.client.HTTPException, ValueError) as error:
        raise Failed("the answer is not valid HTTP") from error


@cache
def _allowed(ports: str, networks: str) -> tuple[frozenset[int], tuple[Network, ...]]:
    return (
        frozenset(int(port) for port in ports.split(",")),
        tuple(ip_network(network.strip()) for network in networks.split(",") if network.strip()),
    )


def _ports() -> frozenset[int]:
    current = settings.current()
    return _allowed(current.outbound_ports, current.outbound_networks)[0]


def _networks() -> tuple[Network, ...]:
    current = settings.current()
    return _allowed(current.outbound_ports, current.outbound_networks)[1]


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, in the order in which to try them.

    Raises:
        OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _checked(target: Target, deadline: float) -> list[Address]:
    """The addresses of the target's host; all are refused if one is not allowed."""
    found = _resolved(target, deadline)
    try:
        addresses = [ip_address(text) for text in found]
    except ValueError as error:
        raise Failed("the host name could not be resolved") from error
    if not addresses:
        raise Failed("the host has no address")
    networks = _networks()
    for address in addresses:
        targets.check(address, networks)
    return addresses


def _resolved(target: Target, deadline: float) -> list[str]:
    # The system's resolver has no timeout, so one that hangs is abandoned.
    found: list[str] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            found.extend(resolve(target.host, target.port))
        except (OSError, UnicodeError) as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_left(deadline))
    if thread.is_alive():
        raise Failed("the host name could not be resolved in time")
    if failed:
        raise Failed("the host name could not be resolved") from failed[0]
    return found


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Wire:
    """A connected socket for ``http.client``, whose operations all end at the deadline.

    A socket's own timeout restarts with every byte, so a server that sends one now and then could occupy a worker for
    ever. Also, at most ``most`` bytes are received, whatever ``http.client`` asks for: for a chunk of -1 bytes it would
    read everything.
    """

    def __init__(self, sock: socket.socket, deadline: float, most: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._left = most

    def sendall(self, data: bytes) -> None:
        """Send everything."""
        view = memoryview(data)
        while view:
            self._sock.settimeout(_left(self._deadline))
            view = view[self._sock.send(view[:_PIECE]) :]

    def receive(self, into: memoryview) -> int:
        """Receive what has arrived, at least one byte; 0 at the end."""
        self._sock.settimeout(_left(self._deadline))
        received = self._sock.recv_into(into)
        self._left -= received
        if self._left < 0:
            raise Failed("the answer is too large")
        return received

    def makefile(self, _mode: str) -> io.BufferedReader:
        """A file with what is received."""
        return io.BufferedReader(_Received(self))

    def close(self) -> None:
        """Does nothing: ``http.client`` closes before it has read the answer. The block closes the socket."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()


class _Received(io.RawIOBase):
    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader hands in
        return self._wire.receive(buffer)


def _connected(target: Target, addresses: Iterable[Address], deadline: float, most: int) -> _Wire:
    waiting = list(addresses)
    sock = None
    while sock is None:
        # Each address gets a share of the remaining time, so that a silent one does not use it all.
        share = _left(deadline) / len(waiting)
        address = waiting.pop(0)
        if waiting:
            with suppress(OSError):
                sock = socket.create_connection((str(address), target.port), share)
        else:
            sock = socket.create_connection((str(address), target.port), share)
    if target.scheme == "http":
        return _Wire(sock, deadline, most)
    try:
        sock.settimeout(_left(deadline))
        return _Wire(_tls().wrap_socket(sock, server_hostname=target.host.removesuffix(".")), deadline, most)
    except BaseException:
        sock.close()
        raise


@cache
def _tls() -> ssl.SSLContext:
    """Certificates are checked against the system's authorities, and against the name in the URL."""
    return ssl.create_default_context()


def _exchange(wire: _Wire, target: Target, sent: tuple[str, dict[str, str], bytes], max_answer: int) -> Answer:
    method, headers, body = sent
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock = wire  # already connected: it neither resolves nor connects
    connection.request(
        method,
        target.path,
        body=body or None,
        headers={"Connection": "close", "User-Agent": "Lamplighter", **headers, "Host": target.host_header},
    )
    answer = connection.getresponse()
    content = answer.read(max_answer + 1)
    if len(content) > max_answer:
        raise Failed(f"the answer is larger than {max_answer} bytes")
    if answer.length:
        raise Failed("the answer ended before it was complete")
    return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)

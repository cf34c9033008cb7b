"""Large uploads are streamed through the gateway, and both sides learn the result."""

from __future__ import annotations

import asyncio
import hashlib
import io
import resource
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, BinaryIO

import httpx2
import pytest
from chalice.app import Response

from infra.local.streams import WINDOW, BodyStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.testing import LocalServer
    from tests.local.stub_app import Stub

MB = 1024 * 1024
CHUNK = bytes(range(256)) * 256
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // len(CHUNK)):
        yield CHUNK


def test_a_slow_handler_gets_200_mb_in_bounded_memory(client: httpx2.Client, stub: Stub) -> None:
    def slow(body: BinaryIO) -> Response:
        digest, size = hashlib.sha256(), 0
        while part := body.read(MB):
            digest.update(part)
            size += len(part)
            time.sleep(0.001)  # slower than the client, so that the window fills
        return Response({"size": size, "digest": digest.hexdigest()})

    stub.read = slow
    expected = hashlib.sha256()
    for part in chunks(200 * MB):
        expected.update(part)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    answer = client.post("/api/upload", content=chunks(200 * MB), headers=MULTIPART)

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert answer.json() == {"size": 200 * MB, "digest": expected.hexdigest()}
    assert grown < 40 * 1024, f"{grown} KiB more were held"


def test_the_client_waits_while_too_much_is_unread() -> None:
    async def scenario() -> int:
        stream = BodyStream(None)
        fed = 0
        while True:
            feeding = asyncio.ensure_future(stream.feed(CHUNK))
            fed += len(CHUNK)
            await asyncio.sleep(0)
            if not feeding.done():
                break
        reader = threading.Thread(target=io.BufferedReader(stream).read, args=(WINDOW,))
        reader.start()
        await feeding
        reader.join()
        return fed

    assert WINDOW < asyncio.run(scenario()) <= WINDOW + len(CHUNK)


def test_a_body_is_read_in_pieces_of_any_size(client: httpx2.Client, stub: Stub) -> None:
    def pieces(body: BinaryIO) -> Response:
        return Response([len(body.read(7)), len(body.read(100_000)), len(body.read()), len(body.read(1))])

    stub.read = pieces

    answer = client.post("/api/upload", content=b"x" * 1_000_000, headers=MULTIPART)

    assert answer.json() == [7, 100_000, 899_993, 0]


def test_a_handler_may_leave_the_tail_unread(client: httpx2.Client, stub: Stub) -> None:
    stub.read = lambda body: Response({"first": body.read(3).decode()})

    answer = client.post("/api/upload", content=b"abcdef", headers=MULTIPART)

    assert answer.json() == {"first": "abc"}
    assert "connection" not in answer.headers


def test_an_early_answer_ends_the_upload(server: LocalServer, stub: Stub) -> None:
    def refuse(body: BinaryIO) -> Response:
        body.read(10)
        return Response({"error": "no"}, status_code=409)

    stub.read = refuse
    with _connect(server) as connection:
        head = "POST /api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\n"
        connection.sendall(f"{head}Content-Length: {100 * MB}\r\n\r\n".encode() + CHUNK)

        answer = _until(connection, b"}")

    assert answer.startswith(b"HTTP/1.1 409")
    assert b"connection: close" in answer.lower()


def test_a_length_over_the_limit_is_413_before_anything_is_read(server: LocalServer, stub: Stub) -> None:
    stub.read = lambda body: pytest.fail("the handler ran")
    with _connect(server) as connection:
        head = "POST /api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\n"
        connection.sendall(f"{head}Content-Length: {301 * MB}\r\n\r\n".encode())

        answer = _until(connection, b"}")

    assert answer.startswith(b"HTTP/1.1 413")


def test_a_body_that_grows_over_the_limit_is_413(client: httpx2.Client, stub: Stub) -> None:
    stub.spec.stream_limit = MB
    failures: list[str] = []

    def read(body: BinaryIO) -> Response:
        try:
            while body.read(1024):
                pass
        except OSError as error:
            failures.append(str(error))
        return Response({})

    stub.read = read
    answer = client.post("/api/upload", content=chunks(2 * MB), headers=MULTIPART)

    stub.spec.stream_limit = 300 * MB
    assert answer.status_code == 413
    assert failures == ["the body is larger than 1048576 bytes"]


def test_the_handler_learns_that_the_client_disconnected(server: LocalServer, stub: Stub) -> None:
    failed = threading.Event()

    def read(body: BinaryIO) -> Response:
        try:
            body.read()
        except ConnectionResetError:
            failed.set()
        return Response({})

    stub.read = read
    with _connect(server) as connection:
        head = "POST /api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\n"
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\nabc".encode())

    assert failed.wait(60)


def test_a_failing_handler_causes_500(client: httpx2.Client, stub: Stub) -> None:
    def broken(body: BinaryIO) -> Response:
        raise ValueError("a bug")

    stub.read = broken

    assert client.post("/api/upload", content=b"x" * 100, headers=MULTIPART).status_code == 500


def test_other_content_types_are_not_streamed(client: httpx2.Client) -> None:
    assert client.post("/api/upload", json={"a": 1}).json() == {"buffered": 7}


def _connect(server: LocalServer) -> socket.socket:
    trust = ssl.create_default_context(cafile=str(server.ca))
    port = int(server.url.rpartition(":")[2])
    return trust.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=60), server_hostname="localhost")


def _until(connection: socket.socket, end: bytes) -> bytes:
    answer = b""
    while not answer.endswith(end):
        part = connection.recv(65536)
        assert part, answer
        answer += part
    return answer

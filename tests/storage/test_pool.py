"""Connections: reused, shared by threads, replaced, over TLS."""

from __future__ import annotations

import json
import select
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chalicelib.errors import Unavailable
from chalicelib.storage import pool
from chalicelib.storage.transport import Patience, Refused
from infra.local import certs
from tests.storage.conftest import MakeTransport
from tests.storage.stage import (
    GET,
    ITEM,
    Play,
    Stage,
    Visit,
    answer,
    cut,
    hang_up_after,
    refusal,
    say_nothing,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class TestConnections:
    """They are reused, shared and replaced."""

    def test_they_are_reused(self, stage: Stage, make_transport: MakeTransport):
        ours = make_transport()

        for _ in range(5):
            ours.call("GetItem", GET)

        assert (stage.connections, len(stage.visits)) == (1, 5)

    def test_they_are_reused_after_a_refusal(self, stage: Stage, make_transport: MakeTransport):
        ours = make_transport()
        stage.will(refusal("ValidationException"))
        with pytest.raises(Refused):
            ours.call("GetItem", GET)

        ours.call("GetItem", GET)

        assert stage.connections == 1

    def test_one_that_the_server_has_closed_is_not_used(self, stage: Stage, make_transport: MakeTransport):
        """The request is sent only once: no write is repeated because a Lambda function was frozen."""
        ours = make_transport()
        stage.will(hang_up_after)
        ours.call("GetItem", GET)
        [waiting] = ours._pool._idle
        end = select.poll()
        end.register(waiting._socket, select.POLLIN)
        assert end.poll(10_000)
        waiting.idle_since -= 1

        ours.call("GetItem", GET)

        assert (stage.connections, len(stage.visits)) == (2, 2)

    def test_one_with_connection_close_is_closed(self, stage: Stage, make_transport: MakeTransport):
        ours = make_transport()
        stage.will(answer(ITEM, Connection="close"))

        assert ours.call("GetItem", GET) == ITEM

        assert not ours._pool._idle

    def test_a_failure_closes_idle_connections(self, stage: Stage, make_transport: MakeTransport):
        ours = make_transport()
        together = threading.Barrier(3, timeout=10)

        def meet(visit: Visit) -> None:
            together.wait()
            answer({})(visit)

        stage.will(meet, meet, meet)
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(lambda _: ours.call("GetItem", GET), range(3)))
        assert len(ours._pool._idle) == 3
        stage.will(cut)

        ours.call("GetItem", GET)

        assert len(ours._pool._idle) == 1

    def test_each_thread_gets_its_own_answer(self, stage: Stage, make_transport: MakeTransport):
        def echo(visit: Visit) -> None:
            answer({"Item": json.loads(visit.body)["Key"]})(visit)

        stage.will(*[echo] * 400)
        ours = make_transport()

        def ask(number: int) -> bool:
            key = {"pk": {"S": str(number)}, "sk": {"S": "é" * number}}
            return ours.call("GetItem", {"TableName": "t", "Key": key}) == {"Item": key}

        with ThreadPoolExecutor(16) as threads:
            assert all(threads.map(ask, range(400)))
        assert stage.connections <= 16


class TestTls:
    """TLS, as for AWS."""

    @pytest.fixture
    def ca(self, stage: Stage, tmp_path: Path) -> Iterator[Path]:
        """The certificate authority of the stage, which uses TLS from now on."""
        files = certs.ensure(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        stage.socket = context.wrap_socket(stage.socket, server_side=True)
        pool.trust.cache_clear()
        yield files.ca
        pool.trust.cache_clear()

    def test_with_a_trusted_authority(
        self, stage: Stage, make_transport: MakeTransport, ca: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("AWS_CA_BUNDLE", str(ca))
        stage.will(answer(ITEM), hang_up_after, answer(ITEM))
        ours = make_transport(url=f"https://127.0.0.1:{stage.server_port}")

        assert [ours.call("GetItem", GET) for _ in range(3)] == [ITEM, {}, ITEM]

    def test_a_silent_server_is_given_up(
        self, stage: Stage, make_transport: MakeTransport, ca: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("AWS_CA_BUNDLE", str(ca))
        stage.will(answer(ITEM), say_nothing, answer(ITEM))
        ours = make_transport(Patience(read=0.3, pause=0), url=f"https://127.0.0.1:{stage.server_port}")

        assert [ours.call("GetItem", GET) for _ in range(2)] == [ITEM, ITEM]

        assert (stage.connections, len(stage.visits)) == (2, 3)

    def test_large_requests_and_answers(
        self, stage: Stage, make_transport: MakeTransport, ca: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("AWS_CA_BUNDLE", str(ca))
        large = {"Item": {"pk": {"S": "a" * 350_000}}}
        stage.will(answer(large))
        ours = make_transport(url=f"https://127.0.0.1:{stage.server_port}")

        assert ours.call("PutItem", {"TableName": "t", **large}) == large

        assert json.loads(stage.visits[0][1])["Item"] == large["Item"]

    def test_with_an_untrusted_authority(self, stage: Stage, make_transport: MakeTransport, ca: Path):
        with pytest.raises(Unavailable):
            make_transport(url=f"https://127.0.0.1:{stage.server_port}").call("GetItem", GET)

        assert stage.visits == []


def whole(*pieces: bytes) -> Play:
    """An answer as these pieces, which arrive one after the other."""

    def play(visit: Visit) -> None:
        for piece in pieces:
            visit.wfile.write(piece)
            visit.wfile.flush()

    return play


BODY = b'{"Item":{"pk":{"S":"a"}}}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)


class TestAnswers:
    """Forms of answers."""

    @pytest.mark.parametrize(
        "pieces",
        [
            [HEAD + BODY],
            [HEAD, BODY],
            [bytes([each]) for each in HEAD + BODY],
            [b"HTTP/1.1 200 \r\nX: content-length: 9\r\ncontent-length:%d \r\nY:\r\n\r\n" % len(BODY), BODY],
        ],
        ids=["whole", "head and body", "byte by byte", "odd headers"],
    )
    def test_they_are_read_whole(self, stage: Stage, make_transport: MakeTransport, pieces: list[bytes]):
        stage.will(whole(*pieces), whole(*pieces))
        ours = make_transport()

        assert [ours.call("GetItem", GET) for _ in range(2)] == [ITEM, ITEM]

        assert (stage.connections, len(stage.visits)) == (1, 2)

    @pytest.mark.parametrize(
        "wrong",
        [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}",
            b"HTTP/2 200\r\nContent-Length: 2\r\n\r\n{}",
            b"HTTP/1.1 20\r\nContent-Length: 2\r\n\r\n{}",
        ],
        ids=["chunks", "no number", "too long", "another version", "no status"],
    )
    def test_others_are_retried_on_a_new_connection(self, stage: Stage, make_transport: MakeTransport, wrong: bytes):
        stage.will(whole(wrong), answer(ITEM))

        assert make_transport().call("GetItem", GET) == ITEM

        assert (stage.connections, len(stage.visits)) == (2, 2)

    def test_an_endless_head_is_given_up(self, stage: Stage, make_transport: MakeTransport):
        stage.will(whole(b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n" * 1000] * 20), answer(ITEM))

        assert make_transport().call("GetItem", GET) == ITEM


def test_a_connection_that_was_just_used_is_not_looked_at(
    stage: Stage, make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch
):
    """A look is a system call more. It is needed after a Lambda was frozen, which takes a while."""
    looks: list[object] = []
    real = pool._Connection.is_quiet

    def look(connection: pool._Connection) -> bool:
        looks.append(connection)
        return real(connection)

    monkeypatch.setattr(pool._Connection, "is_quiet", look)
    ours = make_transport()

    for _ in range(3):
        ours.call("GetItem", GET)
    assert looks == []
    ours._pool._idle[0].idle_since -= 1
    ours.call("GetItem", GET)

    assert (len(looks), stage.connections) == (1, 1)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:4566", "127.0.0.1:4566"),
        ("http://localhost:80/", "localhost"),
        ("https://localhost:443", "localhost"),
        ("http://[::1]:81", "[::1]:81"),
    ],
)
def test_the_host_header(url: str, host: str):
    assert pool.Pool(url, 1).host == host

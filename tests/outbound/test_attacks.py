"""Malicious receivers and resolvers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.outbound import Answer, Failed, OutboundError, Refused, request
from tests.outbound.test_client import LIMIT, allow, resolves_to  # noqa: F401  # a fixture
from tests.support.receivers import Listener, Received, answer, says

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def listener(allow: Callable[..., None]) -> Iterator[Listener]:  # noqa: F811  # the fixture
    with Listener() as running:
        allow(running.port)
        yield running


FLOOD = b"x" * 65536


@pytest.mark.parametrize(
    "start",
    [
        CHUNKED + b"-1\r\n",
        CHUNKED + b"-0001\r\n",
        CHUNKED + b"-ffff\r\n",
        CHUNKED + b"0\r\n",
        CHUNKED + b"1;" + b"x" * 60_000,
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: -5\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        OK + b"Connection: keep-alive\r\n\r\n",
    ],
    ids=["minus one", "minus 0001", "minus more", "trailers", "extension", "length -1", "both", "no length"],
)
def test_no_answer_is_read_beyond_the_limit(listener: Listener, start: bytes) -> None:
    """``http.client`` reads everything for a chunk of -1 bytes."""
    taken: list[int] = []

    def flood(sock: socket.socket, _: Received) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        sock.sendall(start)
        with suppress(OSError):
            for _turn in range(1000):  # 64 MB
                sock.sendall(FLOOD)
                taken.append(len(FLOOD))

    listener.answering = flood

    with pytest.raises(Failed):
        request("GET", listener.url, max_answer=LIMIT)
    assert sum(taken) < 20_000_000, "the connection was ended"


@pytest.mark.parametrize("size", [b"-2", b"-5", b"", b"g", b"0x", b"\xb2", b"1 1", b"9" * 5000])
def test_invalid_chunk_sizes_are_refused(listener: Listener, size: bytes) -> None:
    listener.answering = says(CHUNKED + size + b"\r\nabc\r\n0\r\n\r\n")

    with pytest.raises(Failed):
        request("GET", listener.url, max_answer=LIMIT)


LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.0 200",
        b"HTTP/9.9 200 OK",
        b"HTTP/1.1 -1 OK",
        b"HTTP/1.1 204 No Content",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Content-Length: 5",
        b"Content-Length: -5",
        b"Content-Length: 5, 6",
        b"Content-Length: \xb2",
        b" folded",
        b"no colon",
        b":",
        b"",
        b"-1",
        b"5",
        b"0",
        b"abcde",
        b"\x00\xff",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=150)
@given(lines=st.lists(LINES | st.binary(max_size=20), max_size=12))
def test_any_answer_is_parsed_or_a_failure(listener: Listener, lines: list[bytes]) -> None:
    """Other exceptions would stop the worker."""
    listener.answering = says(b"\r\n".join([b"HTTP/1.1 200 OK", *lines]))

    with suppress(OutboundError):
        assert isinstance(request("GET", listener.url, max_answer=LIMIT), Answer)


INSIDE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104  # nothing is bound to it
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a9fe:a9fe",
    "2002:7f00:1::",
    "2001::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


def test_names_that_resolve_to_internal_addresses_are_not_called(allow, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811  # the fixture
    """Also if one of several addresses is internal."""
    tried: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *args, **_: tried.append(args))
    for inside in INSIDE:
        for answers in ([inside], ["93.184.216.34", inside], [inside, "93.184.216.34"]):
            resolves_to(monkeypatch, answers)
            with pytest.raises(Refused):
                request("GET", "https://rebinding.example/")
    assert tried == []


def test_a_name_that_resolves_differently_the_second_time(allow, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """DNS rebinding: the connection uses the checked address."""
    with Listener() as good, Listener(host="127.0.0.2", port=good.port) as inside:
        allow(good.port, networks="127.0.0.1/32")
        asked = resolves_to(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
        assert request("GET", f"http://rebinding.example:{good.port}/").status == 204
        for _ in range(3):
            with pytest.raises(Refused):
                request("GET", f"http://rebinding.example:{good.port}/")
        assert inside.received == []
        assert len(asked) == 4, "one question a call"


@pytest.mark.parametrize("text", ["127.0.0.1\n", " 127.0.0.1", "127.0.0.1%lo", "fe80::1%lo", "localhost", ""])
def test_a_resolver_with_invalid_answers(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    resolves_to(monkeypatch, [text])

    with pytest.raises(OutboundError):
        request("GET", "https://odd.example/")


def test_a_redirect_does_not_get_secrets(listener: Listener, allow) -> None:  # noqa: F811  # the fixture
    with Listener() as other:
        allow(listener.port, other.port)
        listener.answering = says(answer("307 Temporary Redirect", b"", f"Location: {other.url}/"))
        sent = {"Authorization": "Basic secret", "X-Men-Signature": "s"}

        assert request("POST", listener.url, sent, b"body").status == 307
        assert other.received == []


@pytest.mark.parametrize("header", ["X: y\r\nEvil", "X\r\nEvil", "X"])
@pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\nEvil: 1", "a\r\n\r\nGET / HTTP/1.1", "\u20ac"])
def test_headers_cannot_be_injected(listener: Listener, header: str, value: str) -> None:
    with pytest.raises(OutboundError):
        request("GET", listener.url, {header: value})
    assert [sent.line for sent in listener.received if sent.line] == []

"""Outgoing calls to real servers on loopback: limits, and protection against internal addresses."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from chalicelib import settings
from chalicelib.outbound import Answer, Failed, Refused, client, request
from infra.local import certs
from tests.support.receivers import Answering, Listener, answer, says

LIMIT = 100_000


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Allow calls to these loopback ports."""

    def let(*ports: int, networks: str = "127.0.0.0/8,::1/128") -> None:
        known = replace(
            settings.current(), outbound_networks=networks, outbound_ports=",".join(map(str, (80, 443, *ports)))
        )
        monkeypatch.setattr(settings, "current", lambda: known)

    return let


@pytest.fixture
def listener(allow: Callable[..., None]) -> Iterator[Listener]:
    with Listener() as running:
        allow(running.port)
        yield running


def resolves_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Resolve names to these addresses, a different list each time; returns the resolved names."""
    asked: list[str] = []
    waiting = list(answers)

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    monkeypatch.setattr(client, "resolve", resolve)
    return asked


def test_a_call_and_its_answer(listener: Listener) -> None:
    listener.answering = says(answer("201 Created", b"hello", "X-One: 1"))

    got = request("POST", listener.url + "/a/b?c=d", {"X-Two": "2"}, b"body")

    assert got == Answer(201, {"content-length": "5", "connection": "close", "x-one": "1"}, b"hello")
    (sent,) = listener.received
    assert sent.line == "POST /a/b?c=d HTTP/1.1"
    assert sent.body == b"body"
    assert sent.headers["x-two"] == "2"
    assert sent.headers["host"] == f"127.0.0.1:{listener.port}"
    assert sent.headers["accept-encoding"] == "identity"


def test_a_chunked_answer(listener: Listener) -> None:
    listener.answering = says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    assert request("GET", listener.url).body == b"abcde"


def test_loopback_is_refused_unless_a_setting_allows_it(allow: Callable[..., None]) -> None:
    with Listener() as listener:
        allow(listener.port, networks="")
        for url in (listener.url, f"http://localhost:{listener.port}"):
            with pytest.raises(Refused, match="not public"):
                request("GET", url)
        assert listener.received == []
        allow(networks="127.0.0.0/8")
        with pytest.raises(Refused, match="port"):
            request("GET", listener.url)
        allow(listener.port, networks="127.0.0.0/8")
        assert request("GET", listener.url).status == 204


def test_a_name_is_resolved_once_and_the_checked_address_is_used(
    allow: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Listener() as checked, Listener(host="::1", port=checked.port) as inside:
        allow(checked.port, networks="127.0.0.1/32")
        asked = resolves_to(monkeypatch, ["127.0.0.1"], ["::1"])

        assert request("GET", f"http://rebinding.example:{checked.port}/").status == 204

        assert asked == ["rebinding.example"]
        assert [sent.headers["host"] for sent in checked.received] == [f"rebinding.example:{checked.port}"]
        assert inside.received == []
        with pytest.raises(Refused):
            request("GET", f"http://rebinding.example:{checked.port}/")
        assert inside.received == []


@pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "fd00:ec2::254"])
def test_a_name_with_one_internal_address_is_refused(listener: Listener, allow, monkeypatch, inside: str) -> None:
    allow(listener.port, networks="")
    resolves_to(monkeypatch, ["93.184.216.34", inside])

    with pytest.raises(Refused):
        request("GET", f"http://mixed.example:{listener.port}/")
    assert listener.received == []


def test_the_next_address_is_tried_if_one_does_not_answer(listener: Listener, monkeypatch) -> None:
    resolves_to(monkeypatch, ["::1", "127.0.0.1"])

    assert request("GET", f"http://two.example:{listener.port}/").status == 204


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_redirects_are_not_followed(listener: Listener, status: str) -> None:
    listener.answering = says(answer(status, b"", f"Location: {listener.url}/inside"))

    assert request("GET", listener.url + "/first").status == int(status[:3])
    assert [sent.line for sent in listener.received] == ["GET /first HTTP/1.1"]


def test_proxies_of_the_environment_are_not_used(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert request("GET", listener.url).status == 204


@pytest.mark.parametrize(
    "text",
    [
        answer("200 OK", b"x" * (LIMIT + 1)),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * (LIMIT + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"fffff\r\n" + b"x" * LIMIT * 2,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * LIMIT * 2,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * LIMIT * 2,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * LIMIT,
    ],
    ids=["length", "until closed", "chunk", "endless", "header", "headers"],
)
def test_a_huge_answer_is_cut_off(listener: Listener, text: bytes) -> None:
    listener.answering = says(text)

    with pytest.raises(Failed):
        request("GET", listener.url, max_answer=LIMIT)


def test_an_answer_of_the_maximum_size(listener: Listener) -> None:
    listener.answering = says(answer("200 OK", b"x" * LIMIT))

    assert len(request("GET", listener.url, max_answer=LIMIT).body) == LIMIT


@pytest.mark.parametrize(
    "text", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", b"HTTP/1.1 9x OK\r\n\r\n"]
)
def test_incomplete_and_missing_answers(listener: Listener, text: bytes) -> None:
    listener.answering = says(text)

    with pytest.raises(Failed):
        request("GET", listener.url)


def dripping(text: bytes, *, then: bytes = b"") -> Answering:
    """Send single bytes, each within the read timeout, for longer than the total time limit."""

    def drip(sock: socket.socket, _: object) -> None:
        for byte in text:
            sock.sendall(bytes([byte]))
            time.sleep(0.02)
        sock.sendall(then)

    return drip


@pytest.mark.parametrize(
    "drip",
    [
        dripping(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100, then=b"\r\nContent-Length: 0\r\n\r\n"),
        dripping(answer("200 OK", b"x" * 100)),
        dripping(b"HTTP/1.1 100 Continue\r\n\r\n" * 5, then=answer()),
    ],
    ids=["header", "body", "continue"],
)
def test_a_slow_answer_does_not_extend_the_time_limit(listener: Listener, drip: Answering) -> None:
    listener.answering = drip

    with pytest.raises(Failed, match="in time"):
        request("GET", listener.url, timeout=0.4)


def test_a_silent_server(listener: Listener) -> None:
    done = threading.Event()

    def say_nothing(_: socket.socket, __: object) -> None:
        done.wait(20)

    listener.answering = say_nothing
    with pytest.raises(Failed, match="in time"):
        request("GET", listener.url, timeout=0.2)
    done.set()


def test_a_server_that_does_not_read(allow) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        allow(port)
        with pytest.raises(Failed, match="in time"):
            request("POST", f"http://127.0.0.1:{port}", body=b"x" * 50_000_000, timeout=0.2)


def test_a_server_that_does_not_start_tls(allow) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        allow(port)
        with pytest.raises(Failed, match="in time"):
            request("GET", f"https://127.0.0.1:{port}", timeout=0.2)


def test_a_closed_port(allow) -> None:
    with Listener() as gone:
        pass
    allow(gone.port)

    with pytest.raises(Failed, match="connection"):
        request("GET", gone.url)


def test_a_name_that_does_not_resolve(allow, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(client, "resolve", unknown)
    with pytest.raises(Failed, match="could not be resolved"):
        request("GET", "https://nowhere.example/")
    resolves_to(monkeypatch, [])
    with pytest.raises(Failed, match="no address"):
        request("GET", "https://nowhere.example/")


def test_a_resolver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        done.wait(20)
        return []

    monkeypatch.setattr(client, "resolve", hang)
    with pytest.raises(Failed, match="not be resolved in time"):
        request("GET", "https://slow.example/", timeout=0.1)
    done.set()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> certs.Tls:
    return certs.ensure(Path(tmp_path_factory.mktemp("tls")), ["hooks.example"])


def test_tls_checks_the_certificate_and_its_name(tls, allow, monkeypatch: pytest.MonkeyPatch) -> None:
    with Listener(tls=tls) as listener:
        allow(listener.port)
        resolves_to(monkeypatch, ["127.0.0.1"])
        with pytest.raises(Failed, match="certificate"):
            request("GET", f"https://hooks.example:{listener.port}/")

        trusting = ssl.create_default_context(cafile=tls.ca)
        monkeypatch.setattr(client, "_tls", lambda: trusting)
        assert request("GET", f"https://hooks.example:{listener.port}/").status == 204
        with pytest.raises(Failed, match="certificate"):
            request("GET", f"https://other.example:{listener.port}/")
        assert [sent.headers["host"] for sent in listener.received] == [f"hooks.example:{listener.port}"]


def test_tls_to_a_server_without_it(listener: Listener) -> None:
    with pytest.raises(Failed):
        request("GET", listener.url.replace("http:", "https:"), timeout=0.5)

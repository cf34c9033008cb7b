"""More calls than threads: which wait, which are refused, and that a call is run once or not at all."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.gateway import Gateway
from infra.local.handlers import Pace
from infra.local.rules import Limits
from infra.local.server import Server
from tests.local import stub_app
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from tests.local.stub_app import Stub


@dataclass
class Busy:
    """A gateway with one thread, and calls of many clients to it."""

    stub: Stub
    gateway: Gateway
    port: int
    clients: ThreadPoolExecutor

    def get(self, path: str) -> httpx2.Response:
        """Call and wait for the answer."""
        return httpx2.get(f"http://127.0.0.1:{self.port}/api{path}", trust_env=False, timeout=60)

    def begin(self, path: str) -> Future[httpx2.Response]:
        """Call from another thread; returns when the call waits at the gateway."""
        before = self.waiting
        answer = self.clients.submit(self.get, path)
        until("the call waits", lambda: self.waiting > before)
        return answer

    @property
    def waiting(self) -> int:
        """The number of calls that wait."""
        return self.gateway.handlers.waiting

    def occupy(self) -> Future[httpx2.Response]:
        """Let a call keep the only thread until :meth:`release`."""
        self.stub.release.clear()
        self.stub.reached.clear()
        answer = self.clients.submit(self.get, "/slow")
        assert self.stub.reached.wait(30)
        return answer

    def release(self) -> None:
        """Let that call end."""
        self.stub.release.set()


@contextmanager
def busy(limits: Limits) -> Iterator[Busy]:
    stub = stub_app.build()
    gateway = Gateway(stub.app, limits=limits, threads=1)
    server = Server("127.0.0.1", 0)
    server.start(gateway)
    try:
        with ThreadPoolExecutor(16) as clients:
            try:
                yield Busy(stub, gateway, server.port, clients)
            finally:
                stub.release.set()
    finally:
        server.stop()


def test_calls_are_run_in_their_order_and_users_do_not_wait_behind_all_devices() -> None:
    with busy(Limits()) as server:
        first = server.occupy()
        calls = [
            "/devices/d1/echo",
            "/devices/d2/echo",
            "/devices/d3/echo",
            "/devices/d4/echo",
            "/things/u1",
            "/things/u2",
        ]
        waiting = [server.begin(path) for path in calls]

        server.release()

        assert {answer.result().status_code for answer in (first, *waiting)} == {200}
        assert server.stub.handled == ["d1", "u1", "d2", "u2", "d3", "d4"]


@pytest.fixture
def impatient() -> Iterator[Busy]:
    """A gateway that refuses all calls for which no thread is free."""
    with busy(Limits(wait=0.0)) as server:
        yield server


def test_a_device_is_refused_with_retry_after_and_without_a_body(impatient: Busy) -> None:
    first = impatient.occupy()

    answer = impatient.get("/devices/d1/echo")

    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["X-MEN-RequestID"]
    assert answer.headers["Content-Length"] == "0"
    impatient.release()
    assert first.result().status_code == 200
    assert impatient.stub.handled == [], "a refused call was run"
    assert impatient.get("/devices/d1/echo").status_code == 200


def test_a_user_is_refused_with_the_reason(impatient: Busy) -> None:
    impatient.occupy()

    answer = impatient.get("/things/u1")

    seconds = int(answer.headers["Retry-After"])
    assert answer.status_code == 429
    assert answer.json() == {
        "error": f"the server is busy; try again in {seconds} s",
        "request_id": answer.headers["X-MEN-RequestID"],
    }


def test_a_call_that_has_waited_longer_than_expected_is_refused_and_not_run() -> None:
    with busy(Limits(wait=0.2)) as server:
        first = server.occupy()

        answer = server.get("/devices/d1/echo")

        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) >= 1
        server.release()
        assert first.result().status_code == 200
        assert server.get("/devices/d2/echo").status_code == 200
        assert server.stub.handled == ["d2"]


def test_the_call_of_a_client_that_left_is_not_run() -> None:
    with busy(Limits()) as server:
        server.occupy()
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"GET /api/devices/gone/echo HTTP/1.1\r\nHost: localhost\r\n\r\n")
            until("the call waits", lambda: server.waiting == 1)

        until("it does not wait any more", lambda: server.waiting == 0)

        server.release()
        assert server.get("/devices/d1/echo").status_code == 200
        assert server.stub.handled == ["d1"]


def test_a_call_has_its_full_time_after_its_wait() -> None:
    time_of_a_call = 1.0
    with busy(Limits(handler=time_of_a_call)) as server:
        first = server.occupy()
        begun = time.monotonic()
        second = server.begin("/devices/d1/echo")

        assert first.result().status_code == 504
        until("the second call has waited longer", lambda: time.monotonic() > begun + 1.5 * time_of_a_call)
        server.release()

        assert second.result().status_code == 200
        assert server.stub.handled == ["d1"]


@given(
    seconds=st.lists(st.floats(0, 30), max_size=50),
    threads=st.integers(1, 64),
    after=st.floats(0, 60),
    calls=st.integers(1, 2000),
)
def test_a_refused_caller_comes_back_neither_too_early_nor_too_late(
    seconds: list[float], threads: int, after: float, calls: int
) -> None:
    pace = Pace(threads)
    for each in seconds:
        pace.note(each)

    told = [pace.appointment(after) for _ in range(calls)]

    assert min(told) >= max(1, min(after, Pace.LATEST))
    assert max(told) <= Pace.LATEST * Pace.SPREAD + 1
    # The last one comes when the others, which came before, can have been handled.
    assert told[-1] >= min(after + pace.wait(calls) - 1, Pace.LATEST)


def test_the_average_follows_the_latest_calls() -> None:
    pace = Pace(threads=4)
    for _ in range(200):
        pace.note(2.0)

    assert pace.wait(4) == pytest.approx(2.0, rel=0.01)
    for _ in range(200):
        pace.note(0.1)
    assert pace.wait(8) == pytest.approx(0.2, rel=0.1)

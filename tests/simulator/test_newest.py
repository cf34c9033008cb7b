"""The newest clients on the whole server: updates succeed despite problems with tokens, logs and the server."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.deployments.rules import cut_logs
from chalicelib.errors import TooManyRequests
from chalicelib.http import throttle
from chalicelib.http.identity import Auth
from chalicelib.storage import dynamodb
from chalicelib.storage.transport import Patience, Transport
from tests.simulator.client import Answer, Client, Sink
from tests.simulator.device import PrivateKey
from tests.simulator.fleet import Fleet
from tests.simulator.management import Operator
from tests.simulator.newest import ATTEMPTS, CLIENTS, POLL_INTERVAL, REPEAT, NewestDevice
from tests.simulator.records import Behaviour
from tests.simulator.runs import address_of, release, require_agreement, running_fleet
from tests.simulator.serve import Address
from tests.storage.stage import Stage, refusal
from tests.support.mailbox import use
from tests.support.receivers import Listener, Received, answer

if TYPE_CHECKING:
    import random
    import socket

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer

Interruption = Callable[["Interrupted"], AbstractAsyncContextManager[None]]


class Interrupted(NewestDevice):
    """A device whose first calls are interrupted.

    ``interruptions``: by the name of the call, ``download`` for the rest of a download, or the reported status.
    """

    def __init__(self, fleet: Fleet, name: str, key: PrivateKey, rng: random.Random) -> None:
        super().__init__(fleet, name, key, rng)
        self.interruptions: dict[str, Interruption] = {}
        self.refused: list[Answer] = []
        """Answers of a busy server."""

    def interrupted(self, call: str) -> AbstractAsyncContextManager[None]:
        """The interruption of a call."""
        interruption = self.interruptions.pop(call, None)
        return interruption(self) if interruption else nullcontext()

    async def _call(self, call: str, method: str, path: str, document: object) -> Answer:
        reported = document["status"] if call == "status" and isinstance(document, dict) else None
        async with self.interrupted(reported or call):
            return await super()._call(call, method, path, document)

    async def _resume(self, link: str, got: int, total: int, take: Sink) -> None:
        async with self.interrupted("download"):
            await super()._resume(link, got, total, take)

    async def _send(self, call: str, *arguments: Any, **more: Any) -> Answer:
        answer = await super()._send(call, *arguments, **more)
        if answer.status in (429, 503):
            self.refused.append(answer)
        return answer


class WaitRecorder:
    """Records the seconds that devices wait, without waiting. ``over`` is called in each wait."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.over: Callable[[], None] = lambda: None

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.over()


@pytest.fixture
def address(server: LocalServer, tenant: Tenant) -> Address:
    """The server's address with a new user of the tenant."""
    return address_of(server, tenant)


def test_records_agree_for_both_clients(address: Address) -> None:
    asyncio.run(_both_clients(address))


async def _both_clients(address: Address) -> None:
    waits = WaitRecorder()
    behaviour = Behaviour(fail=0.3, resume=0.5)
    async with running_fleet(address, 16, behaviour, clients=CLIENTS, wait=waits) as (fleet, operator):
        assert [type(device) for device in fleet.devices] == [*CLIENTS] * 8
        assert {device.kind for device in fleet.devices[1::2]} == {"Ed25519"}
        assert fleet.tally.requests["auth"] == 8 * 2 + 8 * 3
        await release(fleet, operator, "v1")
        deployment = await operator.deploy("both", "v1", fleet.ids)
        await fleet.check()

        numbers = await require_agreement(fleet, operator, deployment)
        assert set(numbers) == {"failure", "success"}
        assert sum(numbers.values()) == 16
        assert waits.seconds != [], "no newest client resumed a download"
        assert set(waits.seconds) == {REPEAT}


def test_an_inventory_is_sent_only_if_it_changed(address: Address) -> None:
    asyncio.run(_inventories(address))


async def _inventories(address: Address) -> None:
    async with running_fleet(address, 1, Behaviour(), clients=[NewestDevice]) as (fleet, operator):
        sent = []
        for happens in ("first", "nothing", "update", "nothing", "new token", "nothing"):
            if happens == "update":
                await release(fleet, operator, "v1")
                await operator.deploy("one", "v1", fleet.ids)
            elif happens == "new token":
                await fleet.devices[0].authorize()
            before = fleet.tally.requests["inventory"]
            await fleet.check()
            sent.append(fleet.tally.requests["inventory"] - before)
        assert sent == [1, 0, 1, 0, 1, 0]
        assert fleet.tally.report() == []


@pytest.mark.parametrize("way", ["revoked", "expired"])
@pytest.mark.parametrize("call", ["next", "download", "downloading", "success", "failure", "log", "inventory"])
def test_an_update_succeeds_despite_an_expired_token(address: Address, call: str, way: str) -> None:
    asyncio.run(_token_ends(address, call, way))


async def _token_ends(address: Address, call: str, way: str) -> None:
    bad = call in ("failure", "log")
    behaviour = Behaviour(fail=float(bad), resume=1.0)
    waits = WaitRecorder()
    async with running_fleet(address, 1, behaviour, clients=[Interrupted], wait=waits) as (fleet, operator):
        (device,) = fleet.devices
        assert isinstance(device, Interrupted)
        await release(fleet, operator, "v1")
        deployment = await operator.deploy("one", "v1", fleet.ids)
        device.interruptions[call] = ENDING[way](operator)
        logged_in = fleet.tally.requests["auth"]
        await fleet.check()

        assert await require_agreement(fleet, operator, deployment) == {"failure" if bad else "success": 1}
        assert device.interruptions == {}
        # One after the 401, and one before a client commits to new software.
        asked = fleet.tally.requests["auth"] - logged_in - (way == "expired")  # this call got the expired token
        assert asked == (1 if bad else 2)
        assert waits.seconds == [REPEAT]  # only the download had to wait


def _revoking(operator: Operator) -> Interruption:
    @asynccontextmanager
    async def revoke(device: Interrupted) -> AsyncIterator[None]:
        await operator.revoke(device.claims["jti"])
        yield

    return revoke


def _expiring(_: Operator) -> Interruption:
    @asynccontextmanager
    async def expire(device: Interrupted) -> AsyncIterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            use(patch, device_token_life=-3600)
            device.token = (await device._auth()).body.decode()
        yield

    return expire


ENDING = {"revoked": _revoking, "expired": _expiring}
"""Ways in which a token ends."""


def test_a_truncated_log_is_stored_and_marked(address: Address) -> None:
    asyncio.run(_cut_logs(address))


async def _cut_logs(address: Address) -> None:
    waits = WaitRecorder()
    async with running_fleet(address, 4, Behaviour(fail=1.0, cut_logs=1.0), clients=CLIENTS, wait=waits) as (
        fleet,
        operator,
    ):
        await release(fleet, operator, "v1")
        deployment = await operator.deploy("bad", "v1", fleet.ids)
        await fleet.check()

        assert await require_agreement(fleet, operator, deployment) == {"failure": 4}
        assert fleet.tally.requests["log"] == 4, "no device had to send a log twice"
        assert waits.seconds == []
        for device in fleet.devices:
            log = await operator.log(deployment, device.id)
            assert "Installing the update" in log
            assert ("Rolling back" in log) is not isinstance(device, NewestDevice)
            assert (cut_logs.MARK in log) is isinstance(device, NewestDevice)


BUSY = ["next", "inventory", "downloading", "failure", "log"]
"""Calls that a busy server refuses once."""


@pytest.mark.parametrize("call", BUSY)
def test_a_throttled_device_waits_as_it_is_told(address: Address, call: str) -> None:
    refused, waited = asyncio.run(_busy(address, call, _throttling))

    told = [float(answer.headers["retry-after"]) for answer in refused]
    assert [answer.status for answer in refused] == [429]
    assert waited == {"downloading": [], "log": [REPEAT]}.get(call, told)


@pytest.mark.parametrize("call", BUSY)
def test_an_update_succeeds_despite_a_short_outage(address: Address, call: str) -> None:
    refused, waited = asyncio.run(_busy(address, call, _down))

    assert [answer.status for answer in refused] == [503]
    assert waited == {"downloading": [], "next": [POLL_INTERVAL], "inventory": [POLL_INTERVAL]}.get(call, [REPEAT])


async def _busy(
    address: Address, call: str, trouble: Callable[[WaitRecorder], Interruption]
) -> tuple[list[Answer], list[float]]:
    """Run an update with one call refused until the device waits or continues; returns refusals and waits."""
    bad, waits = call in ("failure", "log"), WaitRecorder()
    async with running_fleet(address, 1, Behaviour(fail=float(bad)), clients=[Interrupted], wait=waits) as (
        fleet,
        operator,
    ):
        (device,) = fleet.devices
        assert isinstance(device, Interrupted)
        await release(fleet, operator, "v1")
        deployment = await operator.deploy("one", "v1", fleet.ids)
        device.interruptions[call] = trouble(waits)
        await fleet.check()
        assert await require_agreement(fleet, operator, deployment) == {"failure" if bad else "success": 1}
        return device.refused, waits.seconds


def _throttling(waits: WaitRecorder) -> Interruption:
    @asynccontextmanager
    async def throttled(device: Interrupted) -> AsyncIterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            use(patch, device_rate=1)
            with suppress(TooManyRequests):
                while True:  # with a limit that the device has reached
                    throttle.admit(Auth.DEVICE, device.claims["mender.tenant"], device.id)
            waits.over = patch.undo
            yield

    return throttled


@contextmanager
def running(stage: Stage) -> Iterator[Stage]:
    """A stage that plays."""
    with stage:
        threading.Thread(target=stage.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield stage
        finally:
            stage.shutdown()


def _down(waits: WaitRecorder) -> Interruption:
    """Make DynamoDB unavailable."""

    @asynccontextmanager
    async def down(_: Interrupted) -> AsyncIterator[None]:
        with running(Stage()) as stage, pytest.MonkeyPatch.context() as patch:
            stage.plays.extend([refusal("InternalServerError", status=500)] * 1000)
            patience = Patience(connect=1, read=5, budget=0.02, pause=0.01, throttled_pause=0.01)
            transport = Transport("eu-west-1", stage.url, patience)
            patch.setattr(dynamodb.shared(), "_transport", transport)
            waits.over = patch.undo
            try:
                yield
            finally:
                transport._pool.close()

    return down


BODY = b'{"error": "no", "request_id": "1"}'


@dataclass
class Stub:
    """A server that answers one call always with the same refusal, and all others normally."""

    refused: str
    answer: bytes
    artifact: bytes = b"an artifact"
    served: bool = False

    def __call__(self, sock: socket.socket, sent: Received) -> None:
        sock.sendall(self._choose(sent.line.split()[1]))

    def _choose(self, path: str) -> bytes:
        call = path.rsplit("/", 1)[-1]
        if call == self.refused:
            return self.answer
        if call == "auth_requests":
            claims = base64.urlsafe_b64encode(b'{"sub": "it"}').decode().rstrip("=")
            return answer("200 OK", f"e30.{claims}.c2ln".encode())
        if call == "artifact":
            return answer("200 OK", self.artifact)
        if call == "attributes":
            return answer("200 OK")
        if call == "next" and not self.served:
            self.served = True
            return answer("200 OK", json.dumps(self.instructions).encode())
        return answer()

    instructions: dict[str, Any] = field(default_factory=dict)


async def _against_stub(call: str, said: bytes, wait: WaitRecorder) -> tuple[Fleet, list[str]]:
    """Run a device, whose update fails, on a server that refuses one call; returns its states after two rounds."""
    states = []
    stub = Stub(call, said)
    with Listener(answering=stub) as listener:
        source = {"uri": f"{listener.url}/artifact", "expire": "2100-01-01T00:00:00Z"}
        stub.instructions = {"id": "deployment-1", "artifact": {"artifact_name": "v1", "source": source}}
        async with Client(listener.url) as client:
            fleet = Fleet(client, 1, behaviour=Behaviour(fail=1.0), clients=[NewestDevice], wait=wait)
            for _ in range(2):
                await fleet.connect()
                await fleet.check()
                states.append(fleet.devices[0].state)
    return fleet, states


@pytest.mark.parametrize(
    ("call", "left_in", "reached"),
    [
        ("next", ["aborted", "aborted"], None),
        ("log", ["aborted", "aborted"], "failure"),
        ("status", ["gave up", "idle"], "pending"),
    ],
)
def test_the_simulated_client_aborts_at_a_401_with_a_body(call: str, left_in: list[str], reached: str | None) -> None:
    fleet, states = asyncio.run(_against_stub(call, answer("401 Unauthorized", BODY), WaitRecorder()))

    assert states == left_in
    assert fleet.tally.problems == {(call, "401 with a body"): 1}
    assert fleet.tally.requests[call] == 1  # an aborted client does nothing in the second round
    assert fleet.tally.outcomes.get("deployment-1", {}).get("it") == reached


def test_the_simulated_client_mishandles_a_429_with_a_body() -> None:
    said = answer("429 Too Many Requests", BODY, "Retry-After: 7")
    waits = WaitRecorder()
    fleet, _ = asyncio.run(_against_stub("next", said, waits))

    assert set(fleet.tally.problems) == {("next", "429 with a body")}
    assert waits.seconds == []


def test_a_refused_log_is_sent_again_and_again_after_another_failure() -> None:
    waits = WaitRecorder()
    fleet, _ = asyncio.run(_against_stub("log", answer("400 Bad Request", BODY), waits))

    assert fleet.tally.problems == {("log", "400"): ATTEMPTS}
    assert fleet.tally.requests["log"] == ATTEMPTS
    assert waits.seconds == [REPEAT] * (ATTEMPTS - 1)
    assert fleet.tally.requests["status"] == 5 + ATTEMPTS - 1  # `failure` is reported before each further log


def test_the_simulated_client_asks_for_a_token_after_a_401_without_a_body() -> None:
    fleet, _ = asyncio.run(_against_stub("next", answer("401 Unauthorized"), WaitRecorder()))

    # The stub refuses every token, so the client ends up with a poll that was refused, as with any other error.
    assert fleet.tally.problems == {("next", "401"): 2}
    assert fleet.tally.requests["auth"] == 2 * ATTEMPTS  # one to connect, one after all refused polls but the last

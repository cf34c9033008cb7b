"""The text dialect within the limits of API Gateway."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed

from chalicelib import limits
from chalicelib.deviceconnect.rules import dialect, envelope
from chalicelib.deviceconnect.rules.dialect import Frame
from chalicelib.deviceconnect.rules.envelope import Message, unpack
from infra.local.websocket_api import PATH, SUBPROTOCOL
from tests.deviceconnect.peers import DEVICE, SHELL, FakeDevice, opened, user_path
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2
    from websockets.sync.client import ClientConnection

    from infra.local.testing import LocalServer
    from tests.simulator.device import Device


def say(link: ClientConnection, message: Message, number: int = 0) -> None:
    link.send(dialect.to_server(Frame(envelope.encode(message), number)))


def hear(link: ClientConnection) -> tuple[str, int, Message]:
    text = link.recv(10)
    assert isinstance(text, str)
    frame = dialect.from_server(text)
    return frame.source, frame.number, envelope.decode(frame.data)


def end_of(link: ClientConnection) -> int | None:
    """The close code of a connection that the server refuses."""
    try:
        while True:
            link.recv(10)
    except ConnectionClosed:
        return link.close_code


@pytest.fixture
def fake(server: LocalServer, device: Device) -> Iterator[FakeDevice]:
    """The device, in the binary dialect."""
    with FakeDevice(server.url, str(device.token)) as connected:
        yield connected


@pytest.fixture
def link(server: LocalServer, device: Device, fake: FakeDevice, token: str) -> Iterator[ClientConnection]:
    """A user's session in the text dialect."""
    with opened(server.url, f"{PATH}?device_id={device.id}", token) as connected:
        yield connected


def test_a_terminal(link: ClientConnection, fake: FakeDevice) -> None:
    say(link, Message(SHELL, "new"), 1)
    source, number, started = hear(link)
    say(link, Message(SHELL, "shell", body=b"hello"), 2)
    again, following, echoed = hear(link)

    assert (source, number, started.typ) == (again, 1, "new")
    assert (following, echoed.body) == (2, b"hello")


@pytest.mark.parametrize("how", ["subprotocol", "query token"])
def test_other_ways_to_authenticate(
    server: LocalServer, device: Device, fake: FakeDevice, token: str, how: str
) -> None:
    if how == "subprotocol":
        opening = opened(server.url, user_path(str(device.id)), token, subprotocols=[SUBPROTOCOL])
    else:
        # Browsers cannot set headers.
        opening = opened(server.url, f"{PATH}?device_id={device.id}&jwt={token}", "")
    with opening as link:
        say(link, Message(SHELL, "new"))
        assert hear(link)[2].typ == "new"


def test_a_device_may_use_it_too(server: LocalServer, device: Device, api: httpx2.Client) -> None:
    place = f"/api/management/v1/deviceconnect/devices/{device.id}"
    with opened(server.url, DEVICE, str(device.token), subprotocols=[SUBPROTOCOL]) as link:
        assert api.post(f"{place}/check-update").status_code == 202
        assert hear(link)[2].typ == "check-update"
    until("the device has gone", lambda: api.get(place).json()["status"] == "disconnected")


def test_binary_frames_are_refused(link: ClientConnection) -> None:
    link.send(b"\x81")
    assert end_of(link) == 1003


def test_long_messages_are_refused(link: ClientConnection) -> None:
    long = "x" * (limits.CONNECT_TEXT + 1)
    link.send(long[start : start + 30_000] for start in range(0, len(long), 30_000))
    assert end_of(link) == 1009


def test_long_frames_are_refused(link: ClientConnection) -> None:
    link.send("x" * (limits.CONNECT_FRAME + 1))
    assert end_of(link) == 1009


def test_messages_within_the_limits_are_accepted(link: ClientConnection, fake: FakeDevice) -> None:
    text = dialect.to_server(Frame(envelope.encode(Message(SHELL, "shell", body=bytes(60_000)))))
    link.send(text[start : start + limits.CONNECT_FRAME] for start in range(0, len(text), limits.CONNECT_FRAME))
    heard = b""
    while len(heard) < 60_000:
        heard += hear(link)[2].body

    assert heard == bytes(60_000)
    assert max(len(message.body) for message in fake.heard) == limits.CONNECT_DEVICE_BODY


@pytest.mark.parametrize("limit", ["idle", "life"])
def test_connections_are_closed_after_their_lifetime(
    server: LocalServer, device: Device, fake: FakeDevice, token: str, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    websockets = server.gateway.websockets
    monkeypatch.setattr(websockets, "limits", replace(websockets.limits, **{limit: 0.2}))
    with opened(server.url, f"{PATH}?device_id={device.id}", token) as link:
        assert end_of(link) == 1001


@pytest.mark.parametrize("wrong", ["nonsense!", "1:AAEC", "x:" + "A" * 8])
def test_an_invalid_message_closes_the_connection(link: ClientConnection, wrong: str) -> None:
    link.send(wrong)
    assert end_of(link) is not None


def test_keepalive_messages_are_ignored(link: ClientConnection, fake: FakeDevice) -> None:
    link.send(dialect.KEEP_ALIVE)
    say(link, Message(SHELL, "new"))

    assert hear(link)[2].typ == "new"
    assert [message.typ for message in fake.heard] == ["new"]


def test_a_user_learns_that_the_device_is_not_connected(
    link: ClientConnection, fake: FakeDevice, api: httpx2.Client, device: Device
) -> None:
    fake.drop()
    place = f"/api/management/v1/deviceconnect/devices/{device.id}"
    until("the device has gone", lambda: api.get(place).json()["status"] == "disconnected")
    say(link, Message(2, "stat"))

    told = hear(link)[2]
    assert (told.proto, told.typ) == (0xFFFF, "error")
    assert unpack(told.body)["err"] == "device disconnected"

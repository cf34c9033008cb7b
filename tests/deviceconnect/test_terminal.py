"""Output of a terminal consists of many small messages, whose cost does not grow with their number."""

from __future__ import annotations

import asyncio
import threading
from math import ceil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.deviceconnect.rules import dialect, envelope
from chalicelib.deviceconnect.rules.envelope import Message, Proto
from chalicelib.storage import dynamodb
from infra.relay import sockets
from infra.relay.translation import Outgoing
from tests.deviceconnect.peers import hear, opened, say, user_path
from tests.support.probe import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELL = Proto.SHELL
PIECE = 255
"""Bytes of output in a message of mender-connect."""
OUTPUT = bytes(range(256)) * 516
"""132 kB, like a long log on a terminal."""
PIECES = [OUTPUT[at : at + PIECE] for at in range(0, len(OUTPUT), PIECE)]
JOINED = ceil(len(OUTPUT) / limits.CONNECT_JOINED) + 1
"""The number of joined messages for it; they are not completely full."""


class Server:
    """The server behind a relay: stores what it receives."""

    def __init__(self) -> None:
        self.taken: list[Message] = []

    async def send(self, text: str) -> None:
        self.taken.append(envelope.decode(dialect.from_client(text).data))


def passed_on(messages: list[bytes]) -> list[Message]:
    """The messages that the server receives if all arrive before it handles the first."""

    async def run() -> list[Message]:
        coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for data in messages:
            coming.put_nowait({"type": "websocket.receive", "bytes": data})
        coming.put_nowait({"type": "websocket.disconnect"})
        server = Server()
        assert await sockets._up(coming.get, server, Outgoing()) is None  # type: ignore[arg-type]
        return server.taken

    return asyncio.run(run())


def joined(messages: list[Message]) -> Iterator[tuple[Any, ...]]:
    """Join adjacent pieces of one stream, whatever their size."""
    last: Message | None = None
    for message in messages:
        if last is not None and envelope.continues(last, message, 2**62):
            last.body += message.body
            continue
        if last is not None:
            yield last.proto, last.typ, last.sid, last.props, last.body
        last = Message(message.proto, message.typ, message.sid, message.props, message.body)
    if last is not None:
        yield last.proto, last.typ, last.sid, last.props, last.body


messages = st.builds(
    Message,
    st.sampled_from([int(SHELL), int(SHELL), int(Proto.PORT_FORWARD)]),
    st.sampled_from(["shell", "shell", "shell", "forward", "stop"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from([{}, {}, {"status": 1}]),
    st.binary(max_size=9).map(lambda body: body * 900),
)


@given(st.lists(messages, max_size=30))
def test_only_adjacent_pieces_of_a_stream_are_joined(sent: list[Message]) -> None:
    taken = passed_on([envelope.encode(message) for message in sent])

    assert list(joined(taken)) == list(joined(sent))
    assert all(len(message.body) <= limits.CONNECT_JOINED for message in taken)
    forwarded = [message for message in sent if message.proto == Proto.PORT_FORWARD]
    assert [message for message in taken if message.proto == Proto.PORT_FORWARD] == forwarded, "clients count them"


def test_a_long_output_takes_few_messages() -> None:
    sent = [envelope.encode(Message(SHELL, "shell", "s", {"status": 1}, piece)) for piece in PIECES]

    taken = passed_on(sent)

    assert b"".join(message.body for message in taken) == OUTPUT
    assert len(taken) <= JOINED


def test_an_invalid_message_closes_the_connection_after_earlier_output_was_sent() -> None:
    async def run() -> tuple[int | None, list[bytes]]:
        coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for data in (envelope.encode(Message(SHELL, "shell", "s", body=b"shown")), b"nonsense"):
            coming.put_nowait({"type": "websocket.receive", "bytes": data})
        server = Server()
        code = await sockets._up(coming.get, server, Outgoing())  # type: ignore[arg-type]
        return code, [message.body for message in server.taken]

    assert asyncio.run(run()) == (sockets.PROTOCOL_ERROR, [b"shown"])


@pytest.mark.parametrize("front", ["gateway"], indirect=True)
def test_a_long_output_costs_few_calls_of_dynamodb(server: Any, front: str, connected: Any, device: Any, token: str):
    """The other messages arrive while the server handles the first, and are then joined."""
    busy = threading.Event()

    def wait(operation: str, _request: dict[str, Any], _answer: dict[str, Any]) -> None:
        if operation == "PutItem":
            busy.wait(30)

    with opened(front, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new"))
        session = hear(user).sid
        dynamodb.observers.append(wait)
        try:
            with counted() as cost:
                for piece in PIECES:
                    connected.say(Message(SHELL, "shell", session, {"status": 1}, piece))
                busy.set()
                shown = b""
                while len(shown) < len(OUTPUT):
                    shown += hear(user, 60).body
        finally:
            busy.set()
            dynamodb.observers.remove(wait)

    assert shown == OUTPUT
    assert cost.by_operation["PutItem"] < len(PIECES) / 4

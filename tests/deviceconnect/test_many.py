"""Many concurrent sessions, with functions that overtake each other: no message is lost, reordered or misdelivered."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import ClientConnection, connect

from chalicelib.deviceconnect.rules import envelope
from chalicelib.deviceconnect.rules.envelope import Message, Proto
from tests.deviceconnect.peers import DEVICE, user_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.testing import LocalServer
    from tests.deployments.world import World

DEVICES = 50
"""Three times as many as the gateway has threads, with all messages of a device sent at once."""
MESSAGES = 10
PATIENCE = 240
"""Timeout in seconds for the next line; the last user waits for all others."""


@pytest.fixture
def overtaking(server: LocalServer) -> Iterator[None]:
    """Handle all messages concurrently, as Lambda does."""
    server.gateway.websockets.overtaking = True
    yield
    server.gateway.websockets.overtaking = False


def dial(front: str, path: str, token: str) -> connect:
    return connect(
        front.replace("http", "ws", 1) + path,
        additional_headers={"Authorization": f"Bearer {token}"},
        compression=None,
        proxy=None,
        open_timeout=PATIENCE,
    )


async def echo(device: ClientConnection) -> None:
    """A device whose terminals echo their input."""
    async for data in device:
        assert isinstance(data, bytes)
        heard = envelope.decode(data)
        await device.send(envelope.encode(Message(Proto.SHELL, "shell", heard.sid, {"status": 1}, heard.body)))


async def ask(user: ClientConnection, name: str) -> list[str]:
    """Send all messages, and then read the echoed lines. The relay may join messages."""
    for number in range(MESSAGES):
        body = f"{name} {number}\n".encode()
        await user.send(envelope.encode(Message(Proto.SHELL, "shell", props={"status": 1}, body=body)))
    heard = ""
    while heard.count("\n") < MESSAGES:
        data = await asyncio.wait_for(user.recv(), PATIENCE)
        assert isinstance(data, bytes)
        heard += envelope.decode(data).body.decode()
    return heard.splitlines()


async def sessions(front: str, devices: dict[str, str], token: str) -> dict[str, list[str]]:
    """Run all sessions concurrently; returns what each user received."""
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(dial(front, DEVICE, theirs)) for theirs in devices.values()]
        async with asyncio.TaskGroup() as echoing:
            tasks = [echoing.create_task(echo(socket)) for socket in sockets]
            users = {
                device: await stack.enter_async_context(dial(front, user_path(device), token)) for device in devices
            }
            heard = await asyncio.gather(*(ask(user, device) for device, user in users.items()))
            for task in tasks:
                task.cancel()
        return dict(zip(users, heard, strict=True))


@pytest.mark.slow
def test_no_message_is_lost_reordered_or_misdelivered(front: str, world: World, overtaking: None, token: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        devices = list(pool.map(lambda _: world.device(), range(DEVICES)))
    tokens = {str(device.id): str(device.token) for device in devices}

    heard = asyncio.run(sessions(front, tokens, token))

    assert heard == {device: [f"{device} {number}" for number in range(MESSAGES)] for device in tokens}

"""A terminal's long output, from a device through the server to its user."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from websockets.asyncio.client import connect

from chalicelib.deviceconnect.rules import envelope
from chalicelib.deviceconnect.rules.envelope import Message, Proto
from tests.bench.numbers import Number

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from tests.bench.parts import Bench

PIECE = 255
"""Bytes of output in a message of mender-connect."""
OUTPUT = 132_000
DEVICE = "/api/devices/v1/deviceconnect/connect"
USER = "/api/management/v1/deviceconnect/devices/{}/connect"


async def terminal(bench: Bench) -> None:
    """Send 132 kB in small messages as fast as the server accepts them, in a recorded session."""
    part = "132 kB of a terminal's output, recorded"
    async with bench.tenant() as (client, operator, address, _):
        fleet = await bench.fleet(client, operator, address, 1)
        [device] = fleet.devices
        [device_id] = fleet.ids
        base = address.url.replace("http", "ws", 1)

        def open_as(token: str, path: str) -> connect:
            return connect(
                base + path, additional_headers={"Authorization": f"Bearer {token}"}, compression=None, proxy=None
            )

        async with (
            open_as(str(device.token), DEVICE) as shown,
            open_as(operator.token, USER.format(device_id)) as seen,
        ):
            await seen.send(envelope.encode(Message(Proto.SHELL, "new")))
            session = envelope.decode(await shown.recv(decode=False)).sid
            before = bench.usage()
            bench.process.run("count", on=True)
            begun = time.monotonic()
            sending = asyncio.create_task(_send(shown, session))
            got = messages = 0
            while got < OUTPUT:
                got += len(envelope.decode(await seen.recv(decode=False)).body)
                messages += 1
            seconds = time.monotonic() - begun
            cost = bench.process.run("count", on=False)
            after = bench.usage()
            await sending
    sent = -(-OUTPUT // PIECE)
    bench.results.add(
        part,
        Number("time until the user has it", seconds, "s", seconds),
        Number("CPU of the server process", after["cpu"] - before["cpu"], "s", after["cpu"] - before["cpu"]),
        Number("messages of the device", sent, ""),
        Number("messages for the user", messages, ""),
        Number("calls of DynamoDB for each message of the device", cost["round_trips"] / sent, ""),
    )
    if messages > sent / 4:
        bench.results.failures.append(f"{part}: {messages} of {sent} messages reached the user: they are not joined")


async def _send(shown: ClientConnection, session: str) -> None:
    for at in range(0, OUTPUT, PIECE):
        body = b"x" * min(PIECE, OUTPUT - at)
        await shown.send(envelope.encode(Message(Proto.SHELL, "shell", session, {"status": 1}, body)))

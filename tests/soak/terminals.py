"""Devices whose websockets come and go, and a user who opens terminals on them."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection

from chalicelib.deviceconnect.rules.envelope import Message
from tests.deviceconnect.peers import SHELL, FakeDevice, hear, opened, say, user_path
from tests.soak.devices import SoakDevice
from tests.soak.records import Ledger

LOST = (OSError, WebSocketException, TimeoutError)
"""How a websocket ends, or cannot be opened, when the server or the network fails."""
HEARD = 10.0
"""Seconds to wait for an answer of the other side."""

T = TypeVar("T")


class Terminal(SoakDevice):
    """Keeps a websocket for remote access open, closes or loses it now and then, and connects again."""

    behaviour = "terminal"

    async def live(self) -> None:
        """Update like other devices, and stay connected."""
        connected = asyncio.create_task(self._stay_connected())
        try:
            await super().live()
        finally:
            connected.cancel()
            with suppress(asyncio.CancelledError):
                await connected

    async def _stay_connected(self) -> None:
        rng = random.Random(f"{self.world.seed}/websocket/{self.number}")
        while not self.world.calm.is_set():
            await self.world.rest(self.world.pace * rng.uniform(0.5, 2))
            if self.token is None:
                continue
            try:
                link = await _finished(lambda: FakeDevice(self.world.client.url, str(self.token)))
            except LOST as error:
                self._connected("4xx" if isinstance(error, InvalidStatus) else "none")
                continue
            self._connected("2xx")
            try:
                await self.world.rest(self.world.pace * rng.uniform(3, 25))
                if rng.random() < 0.5:
                    link.drop()
            except OSError:
                continue  # the server or the network was faster
            finally:
                await _finished(partial(link.__exit__, None, None, None))

    def _connected(self, outcome: str) -> None:
        self.ledger.called(self.name, "websocket of a device", outcome, "GET deviceconnect/connect")


class Connecting:
    """A user who opens terminals, and checks that what comes back is what was typed."""

    name = "connecting user"

    def __init__(self, ledger: Ledger, devices: list[SoakDevice], url: str, ca: Path, rng: random.Random) -> None:
        self.ledger, self._devices, self._url, self._rng = ledger, devices, url, rng
        self._trust = ssl.create_default_context(cafile=ca)
        self.token = ""

    async def act(self) -> None:
        """Open a terminal on one device, and type something."""
        ready = [each for each in self._devices if isinstance(each, Terminal) and each.id]
        if not ready:
            return
        device, lines = self._rng.choice(ready), [self._rng.randbytes(200) for _ in range(self._rng.randint(1, 20))]
        try:
            await _finished(lambda: self._type(device, lines))
        except LOST as error:
            outcome = "4xx" if isinstance(error, InvalidStatus) else "none"
        else:
            outcome = "2xx"
        self.ledger.called(self.name, "terminal of a user", outcome, f"GET {user_path(device.id)}")

    def _type(self, device: SoakDevice, lines: list[bytes]) -> None:
        with opened(self._url, user_path(device.id), self.token, ssl=self._trust) as session:
            say(session, Message(SHELL, "new"))
            for line in lines:
                say(session, Message(SHELL, "shell", body=line))
                back = self._output(session, len(line))
                if back != line:
                    self.ledger.problem(f"typed {line!r} on {device.id}, and got {back!r}", self.name)

    @staticmethod
    def _output(session: ClientConnection, size: int) -> bytes:
        """The next output of the terminal, in any number of messages.

        Raises:
            ConnectionAbortedError: the session has ended.
            TimeoutError: only pings arrive.
        """
        output = b""
        end = time.monotonic() + 3 * HEARD
        while len(output) < size:
            if time.monotonic() > end:
                raise TimeoutError
            message = hear(session, HEARD)
            if message.typ == "stop":
                raise ConnectionAbortedError
            if message.typ == "shell":
                output += message.body
        return output


async def _finished(work: Callable[[], T]) -> T:
    """Run something in a thread to its end, even if this task is cancelled meanwhile."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise

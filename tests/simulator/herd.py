"""A herd: all devices of a fleet call at once, each over a connection of its own, as after a power cut."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.simulator.client import Client
from tests.simulator.fleet import SimulatedDevice
from tests.simulator.newest import ATTEMPTS, POLL_INTERVAL, NewestDevice

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.simulator.client import Answer
    from tests.simulator.fleet import Fleet


class OldDevice(SimulatedDevice):
    """A client of version 3.4 at a busy server: a 429 is an error like others, and it repeats the call after a while.

    It ignores ``Retry-After``.
    """

    async def _send(self, call: str, *arguments: Any, **more: Any) -> Answer:
        for _ in range(ATTEMPTS - 1):
            answer = await super()._send(call, *arguments, **more)
            if answer.status != 429:
                return answer
            await self._fleet.wait(POLL_INTERVAL)
        return await super()._send(call, *arguments, **more)


CLIENTS = (OldDevice, NewestDevice)
"""A herd of both clients."""


class CountingClient(Client):
    """Counts the answers by their status."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.statuses: Counter[int] = Counter()
        self.told: list[str] = []
        """The ``Retry-After`` of each 429; empty where there was none."""
        self.bodies: list[bytes] = []
        """The body of each 429."""

    async def send(self, *arguments: Any, **named: Any) -> Answer:
        """Send a request and read its answer."""
        answer = await super().send(*arguments, **named)
        self.statuses[answer.status] += 1
        if answer.status == 429:
            self.told.append(answer.headers.get("retry-after", ""))
            self.bodies.append(answer.body)
        return answer


async def at_once(fleet: Fleet, step: Callable[[SimulatedDevice], Coroutine[Any, Any, None]]) -> list[float]:
    """All devices take a step at once; returns the seconds that it took each, with connecting and repeating calls."""
    times = []

    async def timed(device: SimulatedDevice) -> None:
        begun = time.perf_counter()
        await step(device)
        times.append(time.perf_counter() - begun)

    await fleet.each(timed)
    return times


async def come_online(device: SimulatedDevice) -> None:
    """What a device does after it started: get a token, report the inventory, and poll."""
    await device.connect()
    await device.check()

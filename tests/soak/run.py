"""One soak: set-up, work under faults, rest, comparison."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console

from tests.simulator.client import Client
from tests.soak import walking
from tests.soak.comparing import Comparison, Result
from tests.soak.devices import BEHAVIOURS as UPDATING
from tests.soak.devices import SITES, SoakDevice, World
from tests.soak.keeping import Keeping
from tests.soak.network import Proxy
from tests.soak.operators import GROUPS, OperatorFailedError, Releasing, Setup
from tests.soak.records import Ledger
from tests.soak.serving import KILLS, Server
from tests.soak.terminals import Connecting, Terminal
from tests.support.receivers import Listener

BEHAVIOURS: tuple[type[SoakDevice], ...] = (*UPDATING, Terminal)
"""The behaviours of devices, which have them in turn."""
CONNECTIONS = 48
SAMPLE = 5.0
"""Seconds between two measurements of the memory."""
KILLING = 2 / 3
"""The part of a run in which processes are killed. In the rest, their memory is measured."""
REST = 240.0
"""Maximum seconds for the devices to finish what is open at the end."""
LONGEST_ACT = 400.0
"""Maximum seconds for an action of an operator: several calls, which are repeated while the server starts."""
END = 30.0
"""Maximum seconds for the devices to stop."""
ACT = 2.0
"""Average seconds between two actions of an operator, for a pace of 1."""
PROGRESS = 30.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True)
class Options:
    """The options of the command line. ``kill_every`` 0: nothing is killed."""

    minutes: float
    devices: int
    seed: int
    pace: float
    kill_every: float
    faults: float
    device_timeout: int = 0
    """Seconds of silence after which the server gives up a device's update; 0: never."""
    webhook: bool = False
    """Whether a webhook receives events. After a kill, the events wait until the dead worker's lease ends."""
    folder: Path | None = None


class Acting(Protocol):
    """An operator."""

    @property
    def name(self) -> str:
        """The name of its random numbers."""

    async def act(self) -> None:
        """Do one thing."""


class Soak:
    """A run."""

    def __init__(self, options: Options, folder: Path, console: Console) -> None:
        self.options, self.ledger, self.server = options, Ledger(options.device_timeout), Server(folder)
        self._console = console
        self._lives: set[asyncio.Task[None]] = set()
        self._devices: list[SoakDevice] = []
        self._working = True

    @property
    def devices(self) -> list[SoakDevice]:
        """All devices of the run."""
        return self._devices

    async def run(self) -> Result:
        """Run, and compare."""
        async with AsyncExitStack() as running:
            hook = running.enter_context(Listener()) if self.options.webhook else None
            if hook is not None:
                self.server.allow(hook.port)
            running.push_async_callback(self.server.stop)
            await self.server.start()
            facts = self.server.facts
            ca = Path(facts["ca"])
            proxy = await running.enter_async_context(Proxy(self.server.port, ca))
            client = await running.enter_async_context(Client(proxy.url, connections=CONNECTIONS))
            own = await running.enter_async_context(Client(facts["url"], ca=ca))
            self._world = World(
                ledger=self.ledger,
                client=client,
                host=facts["url"].partition("//")[2],
                tenant_token=facts["tenant_token"],
                seed=self.options.seed,
                pace=self.options.pace,
            )
            releasing, keeping = Releasing(own), Keeping(own)
            setup = Setup(self.ledger, self._devices, {}, {}, self._add, self._live)
            for operator in (releasing, keeping):
                operator.begin(setup, random.Random(f"{self.options.seed}/{operator.name}"))
                await operator.sign_in(facts["user"], facts["password"])
            user_rng = random.Random(f"{self.options.seed}/{Connecting.name}")
            connecting = Connecting(self.ledger, self._devices, facts["url"], ca, user_rng)
            connecting.token = keeping.token
            running.push_async_callback(self._end_lives)
            if hook is not None:
                await keeping.register(hook.url)
            await self._begin(setup, keeping)
            await self._work(releasing, keeping, connecting)
            await self._come_to_rest(releasing)
            await walking.settled(self.server.facts)
            if self.options.kill_every:
                # What is compared comes from the disk alone.
                await self.server.kill("both")
            self._console.print(f"{self.ledger.now:6.0f} s  comparing")
            result = await Comparison(setup, keeping, own, self.server.data).run(hook)
            walking.walk(self.server.facts, result)
            return result

    def _add(self) -> SoakDevice:
        number = len(self._devices)
        device = BEHAVIOURS[number % len(BEHAVIOURS)](self._world, number)
        self._devices.append(device)
        return device

    def _live(self, device: SoakDevice) -> None:
        task = asyncio.create_task(device.live())
        self._lives.add(task)

    async def _end_lives(self) -> None:
        self._world.over = True
        if self._lives:
            # A call that is cancelled may have been carried out, or not.
            await asyncio.wait(self._lives, timeout=END)
        for task in self._lives:
            task.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)

    async def _begin(self, setup: Setup, keeping: Keeping) -> None:
        """All devices are accepted, and in groups; there are saved filters."""
        first = [self._add() for _ in range(self.options.devices)]
        for device in first:
            self._live(device)
        accepted = 0
        while accepted < len(first):  # until all have made their first request
            await asyncio.sleep(0.5)
            accepted += await keeping.accept([_identity(device) for device in first])
        await keeping.set_timeout(self.options.device_timeout)
        for site in SITES:
            setup.filters[site] = await keeping.make_filter(site)
        for device in first:
            await device.known.wait()
        for number, device in enumerate(first):
            await keeping.group(device.id, GROUPS[number % len(GROUPS)])
        self._console.print(f"{self.ledger.now:6.0f} s  {len(first)} devices are accepted; seed {self.options.seed}")

    async def _work(self, *operators: Acting) -> None:
        """Everything at once, for the duration of the run."""
        self._world.faults, self.ledger.busy = self.options.faults, True
        acting = [asyncio.create_task(self._operate(operator)) for operator in operators]
        watching = [asyncio.create_task(self._measure()), asyncio.create_task(self._progress())]
        killing = asyncio.create_task(self._kill())
        seconds = self.options.minutes * 60
        try:
            await asyncio.wait([*acting, *watching, killing], timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            self._working = False
            # What has begun is finished: a change that is cancelled may have been made, or not.
            await asyncio.gather(killing, *acting)
            for task in watching:
                task.cancel()
            ended = await asyncio.gather(*watching, return_exceptions=True)
        self._world.faults, self.ledger.busy = 0, False
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _operate(self, operator: Acting) -> None:
        rng = random.Random(f"{self.options.seed}/{operator.name}/times")
        while self._working:
            try:
                await asyncio.wait_for(operator.act(), LONGEST_ACT)
            except OperatorFailedError:
                continue  # already recorded
            except TimeoutError:
                self.ledger.problem(f"an action took more than {LONGEST_ACT:.0f} s", operator.name)
            await asyncio.sleep(ACT * self.options.pace * rng.uniform(0.5, 1.5))

    async def _kill(self) -> None:
        """Kill at the times of the plan, in the first part of the run."""
        if not self.options.kill_every:
            return
        rng = random.Random(f"{self.options.seed}/kills")
        end = self.ledger.now + self.options.minutes * 60 * KILLING
        while True:
            pause = self.options.kill_every * rng.uniform(0.4, 1.6)
            if self.ledger.now + pause > end:
                return
            await asyncio.sleep(pause)
            how = rng.choices(KILLS, (3, 2, 2, 1))[0]
            try:
                await self.server.kill(how)
            except AssertionError as error:
                self.ledger.problem(f"the server did not start again after a kill of {how}: {error}")
                await self.server.start()

    async def _measure(self) -> None:
        while True:
            if self.server.has_ended:
                self.ledger.problem("the server has ended, although nobody killed it")
                await self.server.start()
            self.server.sample()
            await asyncio.sleep(SAMPLE)

    async def _progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS)
            ledger = self.ledger
            self._console.print(
                f"{ledger.now:6.0f} s  {ledger.calls.total()} calls, {len(ledger.deployments)} deployments, "
                f"{sum(ledger.faults.values())} faults, {self.server.kills.total()} kills, "
                f"{len(ledger.problems)} problems",
                soft_wrap=True,
            )

    async def _come_to_rest(self, releasing: Releasing) -> None:
        """Without faults, all devices finish what is open."""
        self._world.calm.set()
        await releasing.finish()
        end = self.ledger.now + REST
        while True:
            await self._until_idle(end)
            # Phases may still have to open.
            if not await releasing.opened() or self.ledger.now > end:
                break
        await self._end_lives()
        self.server.sample()

    async def _until_idle(self, end: float) -> None:
        """Wait until each device has polled and found nothing."""
        living = [device for device in self._devices if device.id not in self.ledger.decommissioned]
        for device in living:
            device.idle.clear()
        for device in living:
            try:
                await asyncio.wait_for(device.idle.wait(), max(1.0, end - self.ledger.now))
            except TimeoutError:
                self.ledger.problem(f"still has an update after {REST:.0f} s of rest", device.name)


def _identity(device: SoakDevice) -> str:
    return json.dumps(device.identity, sort_keys=True)

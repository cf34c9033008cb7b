"""The devices of a soak: the simulator's, which repeat each call until it is answered, and behave in different ways."""

from __future__ import annotations

import asyncio
import hashlib
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from tests.simulator.client import Answer, Client, ConnectionLostError
from tests.simulator.device import new_key
from tests.simulator.fleet import REPORTS, DeploymentAborted, Fleet, SimulatedDevice, Unexpected
from tests.soak import network
from tests.soak.records import ACKNOWLEDGED, REFUSED, Instruction, Ledger

SITES = ("north", "south", "east")
TYPES = ("soak-a", "soak-b")

PATIENCE = 180.0
"""Seconds for which a call is repeated; the server is back much sooner."""

PAUSE = 0.3
"""Seconds between two attempts of a call, at first."""


@dataclass
class World:
    """What the devices of a run share."""

    ledger: Ledger
    client: Client
    """A client of the proxy."""
    host: str
    """The server's own host and port, as devices address it."""
    tenant_token: str
    seed: int
    pace: float
    """Average seconds between two steps of a device."""
    faults: float = 0.0
    """The share of the calls that meet a fault."""
    calm: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the end: devices no longer stop, fail or repeat reports."""
    over: bool = False
    """Whether devices stop before their next poll."""
    fleets: dict[str, Fleet] = field(init=False)

    def __post_init__(self) -> None:
        self.fleets = {each: Fleet(self.client, 0, tenant_token=self.tenant_token, device_type=each) for each in TYPES}

    async def rest(self, seconds: float) -> None:
        """Wait, but no longer than until the end."""
        try:
            await asyncio.wait_for(self.calm.wait(), seconds)
        except TimeoutError:
            return


class Silence(Exception):  # a behaviour, not an error
    """The device stops in the middle of an update, and polls again later."""


class Gone(Exception):  # an outcome, not an error
    """The device was decommissioned, or has no valid token any more."""


class SoakDevice(SimulatedDevice):
    """A device that installs each update at once."""

    behaviour = "quick"

    def __init__(self, world: World, number: int) -> None:
        rng = random.Random(f"{world.seed}/device/{number}")
        kind = TYPES[number % len(TYPES)]
        super().__init__(world.fleets[kind], f"soak-{number:04}", new_key(), rng)
        self.world, self.ledger, self.number = world, world.ledger, number
        self.site = rng.choice(SITES)
        self.sites = {self.site}
        """The values of `site` that the server may know: the acknowledged one, and later ones without an answer."""
        self.counter = 0
        self.acknowledged: dict[str, Any] = {}
        """The inventory that the server has acknowledged."""
        self.skew = timedelta()
        """How wrong the device's clock is."""
        self.known = asyncio.Event()
        """Whether the server has given it an id."""
        self.idle = asyncio.Event()
        """Whether its last poll found no update."""

    async def live(self) -> None:
        """Connect, and then poll until the run is over."""
        try:
            while (await self._auth()).status != 200:
                await self.world.rest(2)
            await self.connect()
            while not self.world.over:
                await self.round()
                await asyncio.sleep(self.world.pace * self._rng.uniform(0.5, 1.5))
        except Gone:
            if self.id not in self.ledger.decommissioned:
                self.ledger.problem("refused with 401, although it was not decommissioned", self.name)
        except Unexpected:
            return  # already recorded
        finally:
            self.idle.set()

    async def _auth(self) -> Answer:
        answer = await super()._auth()
        if answer.status == 200:
            self.token = answer.body.decode()
            self.id = str(self.claims["sub"])
            self.known.set()
        return answer

    async def authorize(self) -> None:
        """Get a new token."""
        if (await self._auth()).status != 200:
            raise Gone

    async def round(self) -> None:
        """Poll, and install what there is."""
        if self._rng.random() < 0.02:
            # Only what it sends can be wrong: the server uses its own clock.
            self.skew = timedelta(hours=self._rng.uniform(-50_000, 50_000))
        instructions = await self.poll()
        try:
            if instructions is None:
                await self.between()
                self.idle.set()
                return
            self.idle.clear()
            self._check(instructions)
            await self._update(instructions)
        except DeploymentAborted:
            return
        except Silence:
            await self.world.rest(self._long())

    def _long(self) -> float:
        """Seconds that it is silent."""
        return self.world.pace * self._rng.uniform(5, 60)

    async def between(self) -> None:
        """What it does between two updates."""

    async def step(self) -> None:
        """What it does between two reports."""

    def fails(self) -> bool:
        """Whether an update fails."""
        return self._rng.random() < 0.05

    def inventory(self) -> dict[str, Any]:
        """The attributes that it reports."""
        return {
            "artifact_name": self.artifact_name,
            "device_type": self.device_type,
            "hostname": self.name,
            "site": self.site,
            "counter": self.counter,
        }

    async def report_inventory(self, method: str = "PUT") -> None:
        """Report all attributes."""
        values = self.inventory()
        self.sites.add(values["site"])
        document = [{"name": name, "value": value} for name, value in values.items()]
        answer = await self._call("inventory", method, "/api/devices/v1/inventory/device/attributes", document)
        if answer.status != 200:
            raise self._unexpected("inventory", answer)
        self.acknowledged = values
        self.sites = {values["site"]}

    def _check(self, instructions: Mapping[str, Any]) -> None:
        """Record an instruction."""
        artifact, deployment = instructions["artifact"], instructions["id"]
        self.ledger.instructed(
            Instruction(
                at=self.ledger.now,
                device=self.id,
                device_type=self.device_type,
                deployment=deployment,
                artifact=artifact["id"],
                release=artifact["artifact_name"],
                types=tuple(artifact["device_types_compatible"]),
                sites=frozenset(self.sites),
            )
        )
        reports = self.ledger.reports[deployment, self.id]
        if reports and reports[-1].status == "success" and reports[-1].outcome == ACKNOWLEDGED:
            self.ledger.problem(f"deployment {deployment} was offered again after its success", self.name)

    async def _update(self, instructions: dict[str, Any]) -> None:
        deployment, artifact = instructions["id"], instructions["artifact"]
        await self._report(deployment, "downloading")
        await self.step()
        await self._download(deployment, artifact)
        await self._report(deployment, "installing")
        await self.step()
        if not self.world.calm.is_set() and self.fails():
            await self._fail(deployment, f"Installation {uuid.UUID(int=self._rng.getrandbits(128))} failed")
            return
        await self._report(deployment, "rebooting")
        await self.authorize()
        await self.step()
        await self._report(deployment, "success")
        self.artifact_name = artifact["artifact_name"]
        await self.report_inventory()

    async def _fail(self, deployment: str, error: str) -> None:
        await self._report(deployment, "failure")
        now = (datetime.now(UTC) + self.skew).isoformat()
        messages = [{"timestamp": now, "level": "error", "message": text} for text in (error, "Rolling back")]
        answer = await self._call("log", "PUT", f"{REPORTS}/{deployment}/log", {"messages": messages})
        if answer.status != 204:
            raise self._unexpected("log", answer)
        self.ledger.logs[deployment, self.id] = error

    async def _report(self, deployment: str, status: str) -> None:
        report = self.ledger.reporting(deployment, self.id, status)
        answer = await self._call("status", "PUT", f"{REPORTS}/{deployment}/status", {"status": status})
        if answer.status == 409:
            report.outcome = REFUSED
            raise DeploymentAborted
        if answer.status != 204:
            raise self._unexpected("status", answer)
        report.outcome = ACKNOWLEDGED

    async def _download(self, deployment: str, artifact: dict[str, Any]) -> None:
        """Download an artifact; what is missing after a cut is requested with `Range`."""
        digest, size = hashlib.sha256(), 0

        def take(part: bytes) -> None:
            nonlocal size
            digest.update(part)
            size += len(part)

        answer = await self._send("download", "GET", artifact["source"]["uri"], sink=take, offset=lambda: size)
        if answer.status not in (200, 206):
            raise self._unexpected("download", answer)
        wanted = self.ledger.uploads.get(artifact["artifact_name"], {}).get(self.device_type)
        if wanted is None or (size, digest.hexdigest()) != (wanted.size, wanted.sha256):
            self.ledger.problem(f"deployment {deployment}: got {size} bytes that nobody uploaded for it", self.name)

    async def _send(
        self,
        call: str,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        offset: Any = None,
        **more: Any,
    ) -> Answer:
        """Make a call until it is answered by anything but an error of the server."""
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        detail = f"{method} {parts.path} {body[:80].decode() if call in {'status', 'inventory'} else ''}".rstrip()
        end, pause = self.ledger.now + PATIENCE, PAUSE
        while True:
            fault = network.draw(self._rng, self.world.faults)
            fields = {"Host": self.world.host, **(headers or {})}
            if offset is not None and offset():
                fields["Range"] = f"bytes={offset()}-"
            if fault:
                self.ledger.faults[fault.split()[0] if fault.startswith("delay") else fault] += 1
                fields[network.HEADER] = fault
            said = f"{detail} [{fault}]" if fault else detail
            try:
                answer = await self.world.client.send(method, target, fields, body, **more)
            except ConnectionLostError:
                self.ledger.called(self.name, call, "cut" if fault else "none", said)
            else:
                self.ledger.called(self.name, call, f"{answer.status // 100}xx", f"{said} {answer.status}")
                if answer.status == 401 and call not in {"auth", "download"}:
                    raise Gone
                if answer.status < 500 and answer.status != 429:
                    return answer
            if self.ledger.now > end:
                self.ledger.problem(f"no answer within {PATIENCE:.0f} s to {detail}", self.name)
                raise Unexpected
            await asyncio.sleep(pause)
            pause = min(2.0, pause * 1.5)

    def _unexpected(self, call: str, answer: Answer) -> Unexpected:
        text = answer.body[:200].decode(errors="replace")
        self.ledger.problem(f"unexpected answer to {call}: {answer.status} {text}", self.name)
        return Unexpected()


class Slow(SoakDevice):
    """Pauses between its reports."""

    behaviour = "slow"

    async def step(self) -> None:
        await self.world.rest(self.world.pace * self._rng.uniform(0.5, 4))


class Silent(SoakDevice):
    """Often stops in the middle of an update. Much later it goes on, or polls again."""

    behaviour = "silent"

    async def step(self) -> None:
        if not self.world.calm.is_set() and self._rng.random() < 0.25:
            if self._rng.random() < 0.5:
                raise Silence
            await self.world.rest(self._long())


class Failing(SoakDevice):
    """Most of its updates fail, and it sends a log."""

    behaviour = "failing"

    def fails(self) -> bool:
        return self._rng.random() < 0.6


class Replaying(SoakDevice):
    """Sends reports twice at once, and repeats old ones, also of finished deployments."""

    behaviour = "replaying"

    async def _report(self, deployment: str, status: str) -> None:
        await super()._report(deployment, status)
        if self.world.calm.is_set():
            return
        if self._rng.random() < 0.5:
            await self._twice(deployment, status)

    async def _twice(self, deployment: str, status: str) -> None:
        path, document = f"{REPORTS}/{deployment}/status", {"status": status}
        answers = await asyncio.gather(*(self._call("status", "PUT", path, document) for _ in range(2)))
        for answer in answers:
            if answer.status not in (204, 409):
                raise self._unexpected("status", answer)

    async def between(self) -> None:
        """Report an update that has ended as begun, and then as ended again."""
        if self.world.calm.is_set() or self._rng.random() > 0.3:
            return
        mine = [
            (deployment, reports[-1].status)
            for (deployment, device), reports in list(self.ledger.reports.items())
            if device == self.id and reports[-1].status == "success" and reports[-1].outcome == ACKNOWLEDGED
        ]
        if mine:
            deployment, status = self._rng.choice(mine)
            for each in ("installing", status):
                await SoakDevice._report(self, deployment, each)


class Changing(SoakDevice):
    """Changes its inventory between updates, and moves between sites."""

    behaviour = "changing"

    async def between(self) -> None:
        self.counter += 1
        if self._rng.random() < 0.2:
            self.site = self._rng.choice(SITES)
        await self.report_inventory(self._rng.choice(("PUT", "PATCH")))


BEHAVIOURS: tuple[type[SoakDevice], ...] = (SoakDevice, Slow, Silent, Failing, Replaying, Changing)
"""All behaviours but that of :class:`tests.soak.terminals.Terminal`."""

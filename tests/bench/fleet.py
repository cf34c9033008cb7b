"""``make fleet``: measures the one-machine server, as started by ``make run``, with a whole fleet and a busy operator.

The devices are accepted, poll, and take an update. Meanwhile an operator opens the console's lists and searches. Then
the server is stopped, started, killed and started again with that data. The exit status is 1 if the server gave an
unexpected answer, or its statistics differ from the devices' reports.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.bench.numbers import ROOT
from tests.bench.parts import release
from tests.simulator.client import Client
from tests.simulator.fleet import Fleet, SimulatedDevice
from tests.simulator.herd import CLIENTS, CountingClient, at_once, come_online
from tests.simulator.management import DEPLOYMENTS, DEVICES, Operator
from tests.simulator.records import Behaviour
from tests.simulator.serve import Address
from tests.soak.serving import Server
from tests.support.usage import Memory, cpu

CONNECTIONS = 32
"""Connections of all devices together."""

LOOK = 2.0
"""Seconds between two rounds of the operator's calls."""

SEARCH = "/api/management/v2/inventory/filters/search"
PER_PAGE = 20


class TimedClient(Client):
    """A client that notes how long the server takes for each kind of call."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.times: dict[str, list[float]] = defaultdict(list)
        """Seconds by call, without waiting for a free connection."""

    async def _exchange(self, origin: Any, connection: Any, method: str, head: bytes, *more: Any) -> Any:
        begun = time.perf_counter()
        answer = await super()._exchange(origin, connection, method, head, *more)
        path = head.split(b" ", 2)[1].decode().partition("?")[0]
        name = next((name for name, pattern in CALLS.items() if re.search(pattern, f"{method} {path}")), None)
        if name:
            self.times[name].append(time.perf_counter() - begun)
        return answer


CALLS = {
    "auth request": r"authentication/auth_requests$",
    "acceptance": r"PUT .*/auth/[^/]+/status$",
    "inventory": r"inventory/device/attributes$",
    "poll": r"deployments/next$",
    "status report": r"PUT .*/device/deployments/[^/]+/status$",
}
"""The calls that are timed, by their method and path."""


@dataclass
class Usage:
    """What the processes have used so far."""

    at: float
    cpu: dict[str, float]
    memory: dict[str, float]
    peak: dict[str, float]

    @classmethod
    def of(cls, server: Server) -> Usage:
        """Measure the running processes."""
        pids = server.pids
        memory = {name: Memory.of(pid) for name, pid in pids.items()}
        return cls(
            time.monotonic(),
            {name: cpu(pid) for name, pid in pids.items()},
            {name: found.now for name, found in memory.items()},
            {name: found.highest for name, found in memory.items()},
        )


@dataclass
class Report:
    """The measured numbers, in lines of a name and a value."""

    console: Console
    lines: list[tuple[str, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(self, name: str, value: str) -> None:
        """Add a line and show it at once."""
        self.lines.append((name, value))
        self.console.print(f"{name}: {value}", soft_wrap=True)

    def used(self, name: str, before: Usage, after: Usage) -> None:
        """Add what the processes used between two moments."""
        seconds = after.at - before.at
        shares = {each: (after.cpu[each] - before.cpu[each]) / seconds for each in after.cpu}
        self.add(f"{name}: cores used by server / engine", f"{shares['server']:.2f} / {shares['engine']:.2f}")
        self.memory(name, after)

    def memory(self, name: str, usage: Usage) -> None:
        """Add the memory of the processes."""
        shown = (f"{usage.memory[each]:.0f} MB (most {usage.peak[each]:.0f})" for each in ("server", "engine"))
        self.add(f"{name}: memory of server / engine", " / ".join(shown))

    def times(self, name: str, seconds: Iterable[float]) -> None:
        """Add the median, the 99th percentile and the maximum of times."""
        found = sorted(seconds)
        if found:
            p99 = found[min(len(found) - 1, len(found) * 99 // 100)]
            values = " / ".join(f"{value * 1000:,.0f}" for value in (statistics.median(found), p99, found[-1]))
            self.add(f"{name}: p50 / p99 / slowest", f"{values} ms ({len(found):,} calls)")


class Operators:
    """An operator who opens lists and searches all the time."""

    def __init__(self, operator: Operator, size: int) -> None:
        last = max(1, size // PER_PAGE)
        accepted = {"scope": "identity", "attribute": "status", "type": "$eq", "value": "accepted"}
        kernel = {"scope": "inventory", "attribute": "kernel", "type": "$regex", "value": "6.6"}
        by_name = [{"scope": "inventory", "attribute": "hostname", "order": "desc"}]
        self._operator = operator
        self._searches: dict[str, dict[str, Any]] = {
            "devices, first page": {"page": 1, "filters": [accepted]},
            "devices, a late page": {"page": last, "filters": [accepted]},
            "devices, searched and sorted": {"page": 2, "filters": [accepted, kernel], "sort": by_name},
            "devices, by text": {"page": 1, "filters": [accepted], "text": "simulated-00042"},
        }
        self._reads = {
            "overview": "/api/management/v1/console/overview",
            "deployments": f"/api/management/v2/deployments/deployments?per_page={PER_PAGE}",
            "pending devices": f"{DEVICES}?status=pending&per_page={PER_PAGE}",
        }
        self.deployment = ""
        """A deployment whose statistics and devices are read too."""
        self.times: dict[str, list[float]] = defaultdict(list)

    async def look(self) -> None:
        """One round of calls."""
        for name, body in self._searches.items():
            await self._timed(name, "POST", SEARCH, body | {"per_page": PER_PAGE})
        for name, path in self._reads.items():
            await self._timed(name, "GET", path)
        if self.deployment:
            await self._timed("statistics", "GET", f"{DEPLOYMENTS}/{self.deployment}/statistics")
            rows = f"{DEPLOYMENTS}/{self.deployment}/devices/list?per_page={PER_PAGE}"
            await self._timed("devices of a deployment", "GET", rows)

    async def _timed(self, name: str, method: str, path: str, body: object = None) -> None:
        begun = time.perf_counter()
        await self._operator.ask(method, path, body)
        self.times[name].append(time.perf_counter() - begun)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Look again and again during the block."""
        self.times.clear()

        async def work() -> None:
            while True:
                await self.look()
                await asyncio.sleep(LOOK)

        task = asyncio.create_task(work())
        try:
            yield
        finally:
            if task.done():
                task.result()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def measure(folder: Path, size: int, spread: float, report: Report) -> None:
    """Measure everything in a folder."""
    server = Server(folder)
    await server.start()
    try:
        address = Address.read(server.facts)
        async with (
            TimedClient(address.url, ca=address.ca, connections=CONNECTIONS, patience=300) as devices,
            TimedClient(address.url, ca=address.ca, connections=8, patience=300) as users,
        ):
            operator = Operator(users)
            await operator.login(address.user, address.password)
            fleet = Fleet(devices, size, tenant_token=address.tenant_token, behaviour=Behaviour(fail=0.02))
            await _accept(server, fleet, operator, devices, report)
            report.times("accepting: a call of the operator", users.times.pop("acceptance"))
            await _poll(server, fleet, operator, devices, spread, report)
            await _update(server, fleet, operator, devices, report)
            report.failures += fleet.tally.report()
        await _restart(server, report)
    finally:
        await server.stop()


async def herd(folder: Path, size: int, report: Report) -> None:
    """Measure a herd: all devices call at once, each over a TLS connection of its own."""
    server = Server(folder)
    await server.start()
    try:
        address = Address.read(server.facts)
        async with Client(address.url, ca=address.ca, connections=8, patience=300) as users:
            operator = Operator(users)
            await operator.login(address.user, address.password)
            async with CountingClient(address.url, ca=address.ca, connections=size, patience=300) as devices:
                fleet = Fleet(devices, size, tenant_token=address.tenant_token, clients=CLIENTS)
                report.memory("before", Usage.of(server))
                await _at_once(server, fleet, "first request", lambda device: device.first_request(), report)
                accepted = await operator.accept(fleet.identities)
                if accepted != size:
                    report.failures.append(f"{accepted} of {size} devices were accepted")
            async with CountingClient(address.url, ca=address.ca, connections=size, patience=300) as devices:
                fleet.client = devices
                await _at_once(server, fleet, "token, inventory and poll", come_online, report)
                await _at_once(server, fleet, "poll, same connections", lambda device: device.check(), report)
            await asyncio.sleep(LOOK)
            report.memory("after, without connections", Usage.of(server))
            report.failures += fleet.tally.report()
    finally:
        await server.stop()


async def _at_once(
    server: Server,
    fleet: Fleet,
    name: str,
    step: Callable[[SimulatedDevice], Coroutine[Any, Any, None]],
    report: Report,
) -> None:
    client, size = fleet.client, len(fleet.devices)
    assert isinstance(client, CountingClient)
    client.statuses.clear()
    before, begun = Usage.of(server), time.monotonic()
    times = await at_once(fleet, step)
    seconds = time.monotonic() - begun
    report.add(
        f"{name}: devices", f"{len(times):,} of {size:,} in {seconds:.0f} s, {len(times) / seconds:.0f} a second"
    )
    report.add(
        f"{name}: answers", ", ".join(f"{count:,} x {status}" for status, count in sorted(client.statuses.items()))
    )
    report.times(name, times)
    report.used(name, before, Usage.of(server))
    if len(times) != size:
        report.failures.append(f"{name}: {size - len(times)} of {size} devices gave up")


async def _accept(server: Server, fleet: Fleet, operator: Operator, devices: TimedClient, report: Report) -> None:
    size, before, begun = len(fleet.devices), Usage.of(server), time.monotonic()
    await fleet.first_request()
    accepted = await operator.accept(fleet.identities)
    if accepted != size:
        report.failures.append(f"{accepted} of {size} devices were accepted")
    await fleet.connect()
    seconds = time.monotonic() - begun
    report.add(f"accepting {size:,} devices, with their inventories", f"{seconds:.0f} s, {size / seconds:.0f} a second")
    report.used("accepting", before, Usage.of(server))
    _show(devices, report, "accepting")


async def _poll(
    server: Server, fleet: Fleet, operator: Operator, devices: TimedClient, spread: float, report: Report
) -> None:
    """All devices poll once within some seconds."""
    fleet.behaviour = Behaviour(fail=fleet.behaviour.fail, spread=spread)
    users = Operators(operator, len(fleet.devices))
    before, begun = Usage.of(server), time.monotonic()
    async with users.at_work():
        await fleet.check()
    rate = len(fleet.devices) / (time.monotonic() - begun)
    report.used(f"{rate:.0f} polls a second, and an operator", before, Usage.of(server))
    _show(devices, report, "meanwhile")
    for name, times in users.times.items():
        report.times(f"meanwhile: {name}", times)
    fleet.behaviour = Behaviour(fail=fleet.behaviour.fail)


async def _update(server: Server, fleet: Fleet, operator: Operator, devices: TimedClient, report: Report) -> None:
    size, users = len(fleet.devices), Operators(operator, len(fleet.devices))
    await release(fleet, operator, "v1")
    begun = time.monotonic()
    users.deployment = deployment = await operator.deploy("to all", "v1")
    report.add(f"creating a deployment for {size:,} devices", f"{time.monotonic() - begun:.2f} s")
    before, begun = Usage.of(server), time.monotonic()
    async with users.at_work():
        await fleet.check()
    seconds = time.monotonic() - begun
    report.add(f"updating {size:,} devices, as fast as possible", f"{seconds:.0f} s, {size / seconds:.0f} a second")
    report.used("updating", before, Usage.of(server))
    _show(devices, report, "updating")
    for name, times in users.times.items():
        report.times(f"updating: {name}", times)
    theirs, ours = await operator.statistics(deployment), fleet.tally.statistics(deployment, size)
    if theirs != ours:
        report.failures.append(f"the server counts {theirs}, the devices {ours}")
    users.times.clear()
    for _ in range(10):
        await users.look()
    for name, times in users.times.items():
        report.times(f"afterwards, without devices: {name}", times)


async def _restart(server: Server, report: Report) -> None:
    report.add("disk: the data folder", f"{_size(server.data):.0f} MB")
    begun = time.monotonic()
    await server.stop()
    report.add("stopping", f"{time.monotonic() - begun:.1f} s")
    await server.start()
    report.add("starting with that data", f"{server.starts[-1]:.1f} s")
    report.memory("after that", Usage.of(server))
    await server.kill("both")
    report.add("starting after kill -9", f"{server.starts[-1]:.1f} s")
    begun = time.monotonic()
    async with Client(server.facts["url"], ca=Path(server.facts["ca"]), patience=300) as users:
        operator = Operator(users)
        await operator.login(server.facts["user"], server.facts["password"])
        look = Operators(operator, 1)
        await look.look()
    report.add("... the first list, searches and overview after it", f"{time.monotonic() - begun:.1f} s")


def _show(devices: TimedClient, report: Report, when: str) -> None:
    for name in CALLS:
        report.times(f"{when}: {name}", devices.times.pop(name, []))


def _size(folder: Path) -> float:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # a snapshot may be replaced meanwhile
            total += path.stat().st_size if path.is_file() else 0
    return total / 1e6


def main() -> int:
    """Measure; the exit status is 1 if something was wrong."""
    parser = argparse.ArgumentParser(prog="make fleet", description="Measure the one-machine server with a fleet.")
    parser.add_argument("--devices", type=int, default=10_000, help="how many (10000)")
    parser.add_argument("--spread", type=float, default=60.0, help="seconds in which each device polls once (60)")
    parser.add_argument("--herd", action="store_true", help="measure only what happens when all devices call at once")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "fleet.json", help="file for the JSON")
    given = parser.parse_args()
    report = Report(console := Console(highlight=False))
    os.environ["LAMPLIGHTER_NEW_DEVICES"] = str(2 * given.devices)  # all from one network, in less than an hour
    with tempfile.TemporaryDirectory() as folder:
        if given.herd:
            asyncio.run(herd(Path(folder), given.devices, report))
        else:
            asyncio.run(measure(Path(folder), given.devices, given.spread, report))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(
        json.dumps({"cores": os.cpu_count(), "load": os.getloadavg(), "lines": report.lines}, indent=1)
    )
    for failure in report.failures:
        console.print(f"FAILED {failure}", style="bold red", markup=False, soft_wrap=True)
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())

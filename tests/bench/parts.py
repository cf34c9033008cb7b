"""The measurements. Each has its own tenant and adds numbers to the results."""

from __future__ import annotations

import asyncio
import secrets
import statistics
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.numbers import Cost, Number, Results, calibrate
from tests.simulator.artifacts import build_artifact
from tests.simulator.client import Client
from tests.simulator.fleet import DEVICE_TYPE, REPORTS, Fleet, SimulatedDevice
from tests.simulator.management import Operator
from tests.simulator.records import Behaviour, Payload
from tests.simulator.serve import Address, ServerProcess

AT_ONCE = 16
"""Connections over which load is sent."""

CHANGED = 100
"""Devices that changed since the snapshot that is searched."""

MB = 1e6


@dataclass(frozen=True, slots=True)
class Size:
    """The sizes of the measurements."""

    poll_seconds: float
    poll_rounds: int
    devices: int
    rosters: tuple[int, ...]
    searched: tuple[int, ...]
    megabytes: int
    import_rounds: int
    sockets: int
    ratio_rounds: int
    open_deployments: int


FULL = Size(2.0, 3, 500, (1_000, 10_000, 100_000), (10_000, 100_000), 100, 9, 5_000, 31, 1_000)
QUICK = Size(1.0, 3, 200, (1_000, 10_000), (10_000,), 20, 3, 1_000, 9, 100)


@dataclass
class Bench:
    """A run: the server, the sizes, the results."""

    process: ServerProcess
    size: Size
    results: Results
    goosebit: Path | None = None
    """The Python of an environment with goosebit."""

    def usage(self) -> Mapping[str, Any]:
        """CPU and memory used by server and engine so far."""
        return self.process.run("usage")

    @asynccontextmanager
    async def tenant(self) -> AsyncIterator[tuple[Client, Operator, Address, str]]:
        """Create a tenant; returns a client, its operator, its address and id."""
        facts = self.process.run("tenant")
        address = Address.read(facts)
        async with Client(address.url, ca=address.ca, connections=AT_ONCE, patience=120) as client:
            operator = Operator(client)
            await operator.login(address.user, address.password)
            yield client, operator, address, facts["tenant"]

    async def fleet(self, client: Client, operator: Operator, address: Address, size: int, **more: Any) -> Fleet:
        """A fleet of accepted devices."""
        fleet = Fleet(client, size, tenant_token=address.tenant_token, behaviour=Behaviour(**more))
        await fleet.first_request()
        await operator.accept(fleet.identities)
        await fleet.connect()
        return fleet

    def check(self, part: str, fleet: Fleet) -> None:
        """Record the problems of a fleet."""
        self.results.failures += [f"{part}: {line}" for line in fleet.tally.report()]


async def release(fleet: Fleet, operator: Operator, name: str, size: int = 100_000) -> None:
    """Upload an artifact whose content the fleet can compare."""
    artifact = build_artifact(name, [DEVICE_TYPE], secrets.token_bytes(size), compression="none")
    fleet.payloads[name] = Payload.of(artifact)
    await operator.upload(artifact)


async def polls(bench: Bench) -> None:
    """Idle devices that poll as fast as the server answers, without and with a deployment for other devices."""
    part = f"Polls of idle devices, {AT_ONCE} at once"
    async with bench.tenant() as (client, operator, address, _):
        fleet = await bench.fleet(client, operator, address, 64)
        others, idle = fleet.devices[:12], fleet.devices[12:]
        await release(fleet, operator, "v1")
        await _polls(bench, part, fleet, idle, "no open deployment")
        await operator.deploy("for others", "v1", [device.id for device in others])
        await _polls(bench, part, fleet, idle, "one open deployment, for others")
        bench.check(part, fleet)


async def _polls(bench: Bench, part: str, fleet: Fleet, idle: list[SimulatedDevice], case: str) -> None:
    rates, costs, engine = [], [], []
    await _poll_for(0.5, idle)  # warms caches and connections
    for _ in range(bench.size.poll_rounds):
        before = bench.usage()
        begun = time.monotonic()
        answered = await _poll_for(bench.size.poll_seconds, idle)
        seconds = time.monotonic() - begun
        after = bench.usage()
        rates.append(answered / seconds)
        costs.append((after["cpu"] - before["cpu"]) / answered)
        engine.append((after["engine_cpu"] - before["engine_cpu"]) / answered)
    rate, cost, engine_cost = map(statistics.median, (rates, costs, engine))
    bench.process.run("count", on=True)
    for device in idle[:20]:
        await device.poll()
    cost_of = bench.process.run("count", on=False)
    bench.results.add(
        part,
        Number(f"{case}: polls a second", rate, "", 1 / rate),
        Number(f"{case}: CPU of the server process, gateway included", cost * 1000, "ms", cost),
        Number(f"{case}: CPU of the engine", engine_cost * 1000, "ms", engine_cost),
        Number(f"{case}: round trips", cost_of["round_trips"] / 20, ""),
        Number(f"{case}: read units", cost_of["read_units"] / 20, ""),
    )
    calibrate(bench.results)


async def _poll_for(seconds: float, devices: list[SimulatedDevice]) -> int:
    """Poll without pauses; returns the number of polls."""
    end = time.monotonic() + seconds
    done = 0

    async def keep(mine: list[SimulatedDevice]) -> None:
        nonlocal done
        while True:
            for device in mine:
                if time.monotonic() >= end:
                    return
                assert await device.poll() is None
                done += 1

    await asyncio.gather(*(keep(devices[at::AT_ONCE]) for at in range(AT_ONCE)))
    return done


async def update(bench: Bench) -> None:
    """Measure a fleet's update, from the first call of each device on."""
    size = bench.size.devices
    part = f"Full update of {size:,} devices, {AT_ONCE} at once"
    async with bench.tenant() as (client, operator, address, _):
        begun = time.monotonic()
        fleet = await bench.fleet(client, operator, address, size, fail=0.05)
        let_in = time.monotonic() - begun
        await release(fleet, operator, "v1")
        deployment = await operator.deploy("to all", "v1")
        before, asked, mine = bench.usage(), fleet.tally.requests.total(), time.process_time()
        begun = time.monotonic()
        await fleet.check()
        seconds, mine = time.monotonic() - begun, time.process_time() - mine
        after, requests = bench.usage(), fleet.tally.requests.total() - asked
        theirs, ours = await operator.statistics(deployment), fleet.tally.statistics(deployment, size)
        if theirs != ours:
            bench.results.failures.append(f"{part}: the server counts {theirs}, the devices {ours}")
        bench.check(part, fleet)
    each = (after["cpu"] - before["cpu"]) / size
    engine = (after["engine_cpu"] - before["engine_cpu"]) / size
    bench.results.add(
        part,
        Number("accepting them: first call, acceptance, token, inventory", let_in, "s", let_in / size),
        Number("the update", seconds, "s", seconds / size),
        Number("devices a second", size / seconds, "", seconds / size),
        Number("unexpected answers", fleet.tally.problems.total(), ""),
        Number("statistics off by", sum(abs(theirs.get(key, 0) - ours.get(key, 0)) for key in theirs | ours), ""),
        Number("a device: HTTP requests", requests / size, ""),
        Number("a device: DynamoDB round trips", (after["round_trips"] - before["round_trips"]) / size, ""),
        Number("a device: CPU of the server process", each * 1000, "ms", each),
        Number("a device: CPU of the engine", engine * 1000, "ms", engine),
        Number("a device: CPU of the simulator", mine / size * 1000, "ms", mine / size),
        Number("memory of the server, highest", after["peak"], "MB"),
        Number("memory of the engine, highest", after["engine_peak"], "MB"),
    )
    calibrate(bench.results)


async def costs(bench: Bench) -> None:
    """The cost of each call in DynamoDB, with devices that install an update one after another."""
    async with bench.tenant() as (client, operator, address, _):
        # A deployment for few devices waits in their heads, one for many in the control item.
        for part, size in (
            ("Cost of calls in DynamoDB; deployment for 3 devices", 3),
            ("Cost of calls in DynamoDB; deployment for 12 devices", 12),
        ):
            await _costs(bench, part, client, operator, address, size)


async def _costs(bench: Bench, part: str, client: Client, operator: Operator, address: Address, size: int) -> None:
    found: dict[str, list[Mapping[str, Any]]] = {}

    async def measure(call: str, work: Any) -> Any:
        bench.process.run("count", on=True)
        try:
            return await work
        finally:
            found.setdefault(call, []).append(bench.process.run("count", on=False))

    fleet = Fleet(client, size, tenant_token=address.tenant_token)
    for device in fleet.devices[:3]:
        await measure("auth request of an unknown device (401)", device.first_request())
    await fleet.first_request()
    for identity in fleet.identities[:3]:
        await measure("accepting (with the list of pending devices)", operator.accept([identity]))
    await operator.accept(fleet.identities)
    for device in fleet.devices[:3]:
        await measure("auth request, first token", device.authorize())
    await fleet.connect()
    for device in fleet.devices[:3]:
        await measure("auth request, later", device.authorize())
        await measure("inventory, unchanged", device.report_inventory())
        await measure("next, no deployment", device.poll())
    name = f"v{size}"
    await release(fleet, operator, name)
    deployment = await measure("creating a deployment", operator.deploy("d", name, fleet.ids))
    for number, device in enumerate(fleet.devices[:3]):
        await measure("next, first answer with an instruction", device.poll())
        await measure("next, the same instruction again", device.poll())
        await measure("status, new", device._report(deployment, "downloading"))
        await measure("status, repeated", device._report(deployment, "downloading"))
        await measure("next, during the download", device.poll())
        await device._report(deployment, "installing")
        last = number == size - 1
        await measure(
            "status, last device of all" if last else "status, success", device._report(deployment, "success")
        )
        device.artifact_name = name
        await measure("inventory, changed", device.report_inventory())
        await measure("statistics", operator.statistics(deployment))
    if size > 3:
        for device in fleet.devices[4:7]:
            await measure("a whole update, in the steps of a client", device.check())
        document = {"messages": [{"timestamp": "2026-01-01T00:00:00Z", "level": "error", "message": "x"}]}
        device = fleet.devices[3]
        await device.poll()
        await device._report(deployment, "installing")
        await measure("status, failure", device._report(deployment, "failure"))
        await measure("log", device._call("log", "PUT", f"{REPORTS}/{deployment}/log", document))
        await measure("aborting a deployment", operator.abort(deployment))
    bench.results.costs[part] = [
        Cost(
            call,
            *(statistics.median(each[key] for each in seen) for key in ("round_trips", "read_units", "write_units")),
        )
        for call, seen in found.items()
    ]
    bench.check(part, fleet)


async def scale(bench: Bench) -> None:
    """Creating and aborting deployments for large fleets."""
    async with bench.tenant() as (client, operator, address, tenant):
        fleet = await bench.fleet(client, operator, address, 1)
        await release(fleet, operator, "v1")
        present = 1
        for wanted in bench.size.rosters:
            part = f"A deployment for {wanted:,} devices"
            begun = time.monotonic()
            bench.process.run("roster", tenant=tenant, devices=wanted - present)
            filled, present = time.monotonic() - begun, wanted
            begun = time.monotonic()
            before = bench.usage()
            deployment = await operator.deploy("all", "v1")
            created = time.monotonic() - begun
            between = bench.usage()
            begun = time.monotonic()
            await operator.abort(deployment)
            aborted = time.monotonic() - begun
            # Again with counting, which takes time itself.
            bench.process.run("count", on=True)
            deployment = await operator.deploy("all", "v1")
            creating = bench.process.run("count", on=False)
            targets = (await operator.show(deployment))["max_devices"]
            if targets != wanted:
                bench.results.failures.append(f"{part}: it is for {targets}")
            bench.process.run("count", on=True)
            await operator.abort(deployment)
            aborting = bench.process.run("count", on=False)
            cpu = between["cpu"] - before["cpu"]
            bench.results.add(
                part,
                Number("filling the roster, bypassing the API", filled, "s"),
                Number("creating", created, "s", created),
                Number("creating: CPU of the server process", cpu, "s", cpu),
                Number("creating: round trips", creating["round_trips"], ""),
                Number("creating: read units", creating["read_units"], ""),
                Number("creating: write units", creating["write_units"], ""),
                Number("aborting", aborted * 1000, "ms", aborted),
                Number("aborting: round trips", aborting["round_trips"], ""),
                Number("aborting: write units", aborting["write_units"], ""),
            )
            bench.results.add(part, Number("memory of the server, highest so far", bench.usage()["peak"], "MB"))
    calibrate(bench.results)


async def search(bench: Bench) -> None:
    """A search for 20 of many devices by two conditions and a sort, in a new process."""
    for devices in bench.size.searched:
        part = f"A search among {devices:,} devices, {CHANGED} of them changed since the snapshot"
        async with bench.tenant() as (_, _, _, tenant):
            found = bench.process.run("searching", tenant=tenant, devices=devices, changed=CHANGED)
        bench.results.add(
            part,
            Number("the first in a process: CPU", found["cold"] * 1000, "ms", found["cold"]),
            Number("a further one: CPU", found["warm"] * 1000, "ms", found["warm"]),
            Number("devices found", found["found"], ""),
            Number("memory of the process before", found["before"], "MB"),
            Number("memory of the process after", found["after"], "MB"),
            Number("building the snapshot, 10,000 of them new: CPU", found["build"], "s", found["build"]),
            Number("size of the snapshot", found["bytes"] / MB, "MB"),
        )
    calibrate(bench.results)


async def transfer(bench: Bench) -> None:
    """A large artifact through the gateway, up and down."""
    size = bench.size.megabytes
    part = f"An artifact of {size} MB through the gateway"
    artifact = build_artifact("large", [DEVICE_TYPE], secrets.token_bytes(size * 1_000_000), compression="none")
    async with bench.tenant() as (client, operator, _, _):
        before = bench.usage()
        begun = time.monotonic()
        id = await operator.upload(artifact)
        up = time.monotonic() - begun
        between = bench.usage()
        link = await operator.artifact_link(id)
        got = 0

        def take(chunk: bytes) -> None:
            nonlocal got
            got += len(chunk)

        begun = time.monotonic()
        answer = await client.send("GET", link, sink=take)
        down = time.monotonic() - begun
        after = bench.usage()
        if (answer.status, got) != (200, len(artifact)):
            bench.results.failures.append(f"{part}: download gave {answer.status}, {got} of {len(artifact)} bytes")
    megabytes = len(artifact) / MB
    up_cpu, down_cpu = ((b["cpu"] - a["cpu"]) / megabytes for a, b in ((before, between), (between, after)))
    bench.results.add(
        part,
        Number("up, verified", megabytes / up, "MB/s", up / megabytes),
        Number("up: CPU of the server process, a MB", up_cpu * 1000, "ms", up_cpu),
        Number("down", megabytes / down, "MB/s", down / megabytes),
        Number("down: CPU of the server process, a MB", down_cpu * 1000, "ms", down_cpu),
        Number("memory of the server before", before["memory"], "MB"),
        Number("memory of the server, highest while it went up", between["peak"], "MB"),
        Number("memory of the server, highest so far", after["peak"], "MB"),
        Number("memory of the engine, highest so far", after["engine_peak"], "MB"),
    )
    calibrate(bench.results)

"""Fleets on the whole server: reports of devices equal the server's statistics, device by device."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.simulator.client import Client
from tests.simulator.fleet import Fleet
from tests.simulator.records import Behaviour
from tests.simulator.rollout import Phased
from tests.simulator.runs import address_of, release, require_agreement, running_fleet
from tests.simulator.serve import Address, ServerProcess

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer


def test_records_agree_with_failures_and_an_abort(server: LocalServer, tenant: Tenant) -> None:
    asyncio.run(_failures_and_an_abort(address_of(server, tenant)))


async def _failures_and_an_abort(address: Address) -> None:
    behaviour = Behaviour(fail=0.2, resume=0.2, pace=0.1, spread=1.0)
    async with running_fleet(address, 60, behaviour) as (fleet, operator):
        await release(fleet, operator, "v1")
        await release(fleet, operator, "v2")

        first = await operator.deploy("first", "v1", fleet.ids)
        round_ = asyncio.create_task(fleet.check())
        while fleet.tally.done(first) < 20:  # noqa: ASYNC110  # the tally has no events to wait for
            await asyncio.sleep(0.01)
        fleet.tally.aborted.add(first)
        await operator.abort(first)
        await round_
        numbers = await require_agreement(fleet, operator, first)
        assert set(numbers) == {"aborted", "failure", "success"}
        assert numbers["success"] + numbers["failure"] >= 20

        second = await operator.deploy("second", "v2", fleet.ids)
        await fleet.check()
        numbers = await require_agreement(fleet, operator, second)
        assert numbers["success"] + numbers["failure"] == 60
        assert numbers["failure"] > 0

        served = fleet.tally.downloads.total()
        await fleet.check()
        assert fleet.tally.report() == []
        assert fleet.tally.downloads.total() == served, "devices got an update again that they had finished"
        assert set(fleet.tally.downloads.values()) == {1}


def test_records_agree_with_phases_retries_and_an_abort(server: LocalServer, tenant: Tenant) -> None:
    asyncio.run(_in_phases(address_of(server, tenant)))


async def _in_phases(address: Address) -> None:
    async with running_fleet(address, 30, Behaviour(fail=0.4)) as (fleet, operator):
        await release(fleet, operator, "v1")
        await release(fleet, operator, "v2")
        began = time.monotonic()
        await fleet.check()
        rounds = 6 * (time.monotonic() - began)  # with a margin for a busy machine
        phased = Phased(fleet, (10, 30), interval=max(1.5, rounds), lead=max(0.5, rounds))

        first = await phased.create(operator, "first", "v1")
        await fleet.check()
        assert fleet.tally.outcomes == {}, "devices got the update before the first phase"
        await phased.run()
        numbers = await require_agreement(fleet, operator, first)
        assert numbers["success"] + numbers["failure"] == 30
        attempts = {row["id"]: row["attempts"] for row in await operator.rows(first)}
        failures = {id: count for (_, id), count in fleet.tally.failures.items()}
        assert attempts == {id: min(2, 1 + failures.get(id, 0)) for id in attempts}
        assert 2 in failures.values()
        assert await phased.differences(operator) == []

        second = await phased.create(operator, "second", "v2")
        await phased.run_into_an_abort(operator)
        numbers = await require_agreement(fleet, operator, second)
        assert sum(numbers.values()) <= 12, "no device of the last phase may have begun"
        assert await phased.differences(operator) == []


@pytest.mark.slow
def test_hundreds_of_devices_lose_no_report_and_none_counts_twice() -> None:
    # The server has its own process; in one process, both would share a core and take twice as long.
    with ServerProcess(tls=False) as process:
        asyncio.run(_hundreds(process.start()))


async def _hundreds(address: Address) -> None:
    many = 300  # for 16 threads of the server
    async with running_fleet(address, many, Behaviour(fail=0.05)) as (fleet, operator):
        await release(fleet, operator, "v1")
        deployment = await operator.deploy("all of them", "v1")
        await fleet.check()
        numbers = await require_agreement(fleet, operator, deployment)
        good, bad = numbers["success"], numbers["failure"]
        assert good + bad == many
        assert fleet.tally.downloads == Counter(dict.fromkeys(((deployment, id) for id in fleet.ids), 1))
        # Exactly the requests of a client: none had to be repeated.
        assert fleet.tally.requests == {
            "auth": 2 * many + good,
            "inventory": many + good,
            "next": 2 * many,
            "download": many,
            "status": 6 * good + 5 * bad,
            "log": bad,
        }


def test_the_same_seed_gives_the_same_results() -> None:
    fates = []
    for _ in range(2):
        fleet = Fleet(Client("http://localhost"), 20, seed=7)
        fates.append([(device.kind, device._rng.random()) for device in fleet.devices])
    assert fates[0] == fates[1]
    assert {kind for kind, _ in fates[0]} == {"EC", "Ed25519", "RSA"}

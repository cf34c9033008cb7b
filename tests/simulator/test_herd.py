"""A whole fleet connects at once: all devices get through without an error, and nothing is done twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from infra.local.gateway import Gateway
from infra.local.rules import Limits
from infra.local.server import Server
from tests.simulator.client import Client
from tests.simulator.fleet import Fleet
from tests.simulator.herd import CLIENTS, CountingClient, at_once, come_online
from tests.simulator.management import Operator
from tests.simulator.runs import address_of
from tests.simulator.serve import Address, ServerProcess

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer

SEARCH = "/api/management/v2/inventory/filters/search"
LONGEST = 2.0
"""Seconds that devices wait here at most before they repeat a call. Real ones wait half a minute or more."""


@pytest.mark.slow
def test_hundreds_of_devices_connect_at_once() -> None:
    with ServerProcess(tls=True) as process:
        statuses = asyncio.run(_connect_at_once(process.start(), 300))
    assert set(statuses) <= {200, 204, 401, 429}


def test_devices_that_are_refused_get_through_later(server: LocalServer, tenant: Tenant) -> None:
    few = Server("127.0.0.1", 0)
    few.start(Gateway(server.app, threads=2, limits=Limits(wait=0.2)))
    try:
        address = address_of(server, tenant)
        here = Address(few.url(), None, address.user, address.password, address.tenant_token)
        statuses = asyncio.run(_connect_at_once(here, 30))
    finally:
        few.stop()
    assert statuses[429] > 0
    assert set(statuses) == {200, 204, 401, 429}


async def _connect_at_once(address: Address, size: int) -> dict[int, int]:
    """Let new devices be accepted, connect and poll; returns the number of answers to them by status."""
    async with (
        CountingClient(address.url, ca=address.ca, connections=size) as client,
        Client(address.url, ca=address.ca, connections=1) as users,
    ):
        operator = Operator(users)
        await operator.login(address.user, address.password)
        fleet = Fleet(client, size, tenant_token=address.tenant_token, clients=CLIENTS, wait=_shorter)
        assert len(await at_once(fleet, lambda device: device.first_request())) == size
        assert await operator.accept(fleet.identities) == size
        assert client.statuses[401] == size + size // 2, "newest clients ask twice"

        assert len(await at_once(fleet, come_online)) == size

        assert fleet.tally.report() == []
        # A token and an inventory for each, and a poll: whatever was refused has not also been run.
        assert (client.statuses[200], client.statuses[204]) == (2 * size, size)
        assert all(int(told) >= 1 for told in client.told)
        assert set(client.bodies) <= {b""}
        assert await _inventories(operator) == {device.id: device.name for device in fleet.devices}
        return dict(client.statuses)


async def _inventories(operator: Operator) -> dict[str, str]:
    """The host name in the inventory of each device."""
    found: dict[str, str] = {}
    page = 1
    while rows := await operator.ask("POST", SEARCH, {"page": page, "per_page": 200}):
        for row in rows:
            names = [each["value"] for each in row["attributes"] if each["name"] == "hostname"]
            found[row["id"]] = names[0]
        page += 1
    return found


async def _shorter(seconds: float) -> None:
    await asyncio.sleep(min(seconds, LONGEST))

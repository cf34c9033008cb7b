"""Runs fleets on a whole server, and compares their records with the server's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from chalicelib.rights import EVERYTHING
from chalicelib.useradm import service
from tests.simulator.artifacts import build_artifact
from tests.simulator.client import Client
from tests.simulator.fleet import DEVICE_TYPE, Fleet
from tests.simulator.management import Operator
from tests.simulator.records import FINAL, Behaviour, Payload
from tests.simulator.serve import Address

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer


@asynccontextmanager
async def running_fleet(
    address: Address, size: int, behaviour: Behaviour, **more: Any
) -> AsyncIterator[tuple[Fleet, Operator]]:
    """An accepted fleet and its operator; ``more`` are arguments of :class:`Fleet`."""
    async with Client(address.url, ca=address.ca) as client:
        operator = Operator(client)
        await operator.login(address.user, address.password)
        fleet = Fleet(client, size, tenant_token=address.tenant_token, behaviour=behaviour, **more)
        await fleet.first_request()
        assert await operator.accept(fleet.identities) == size
        await fleet.connect()
        assert fleet.tally.report() == []
        yield fleet, operator


async def release(fleet: Fleet, operator: Operator, name: str) -> None:
    """Upload an artifact whose content the fleet can compare."""
    artifact = build_artifact(name, [DEVICE_TYPE], name.encode() * 10_000, compression="none")
    fleet.payloads[name] = Payload.of(artifact)
    await operator.upload(artifact)


async def require_agreement(fleet: Fleet, operator: Operator, deployment: str) -> dict[str, int]:
    """Check that server and fleet agree on every device of a finished deployment; returns the statistics."""
    tally, size = fleet.tally, len(fleet.devices)
    assert tally.report() == []
    numbers = await operator.statistics(deployment)
    assert numbers == tally.statistics(deployment, size)
    assert (await operator.show(deployment))["status"] == "finished"
    aborted = deployment in tally.aborted
    outcomes = tally.outcomes[deployment]
    rows = {row["id"]: row for row in await operator.rows(deployment)}
    assert {id: row["status"] for id, row in rows.items()} == {
        id: "aborted" if aborted and status not in FINAL else status for id, status in outcomes.items()
    }
    assert {id for id, row in rows.items() if row["log"]} == {id for each, id in tally.failures if each == deployment}
    return numbers


def address_of(server: LocalServer, tenant: Tenant) -> Address:
    """The server's address with a new user of a tenant."""
    user, password = f"{tenant.id}@example.com", "a-long-enough-one"
    service.create_user(tenant.id, user, password, by=EVERYTHING)
    return Address(server.url, server.ca, user, password, tenant.tenant_token)

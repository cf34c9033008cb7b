"""A tenant with a connected device, through the local gateway and through a relay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.deployments.world import World
from tests.deviceconnect.peers import FakeDevice
from tests.deviceconnect.relay import RelayProcess
from tests.simulator.device import Device

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> World:
    """The tenant."""
    return World(api, http, tenant.tenant_token)


@pytest.fixture
def device(world: World) -> Device:
    """An accepted device."""
    return world.device()


@pytest.fixture(scope="session")
def relay(server: LocalServer) -> Iterator[RelayProcess]:
    """A relay in front of the gateway's text dialect."""
    with RelayProcess(server.url) as running:
        yield running


@pytest.fixture(params=["gateway", "relay"])
def front(request: pytest.FixtureRequest, server: LocalServer) -> str:
    """The server for websockets and files: the gateway itself, or a relay in front of it."""
    if request.param == "gateway":
        return server.url
    relay: RelayProcess = request.getfixturevalue("relay")
    return relay.url


@pytest.fixture
def connected(front: str, device: Device) -> Iterator[FakeDevice]:
    """The simulated device, connected."""
    assert device.token is not None
    with FakeDevice(front, device.token) as fake:
        yield fake


@pytest.fixture
def token(api: httpx2.Client) -> str:
    """The user's token."""
    return api.headers["Authorization"].removeprefix("Bearer ")

"""A tenant with a device that is connected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.deployments.world import World
from tests.deviceconnect.peers import FakeDevice
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


@pytest.fixture
def connected(server: LocalServer, device: Device) -> Iterator[FakeDevice]:
    """Its other half, connected."""
    assert device.token is not None
    with FakeDevice(server.url, device.token) as fake:
        yield fake


@pytest.fixture
def token(api: httpx2.Client) -> str:
    """The user's token."""
    return api.headers["Authorization"].removeprefix("Bearer ")

"""Fixtures of the tests of approvals by a second person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.deployments.approvals.asking import demand
from tests.deployments.world import World

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn
    from tests.simulator.device import Device
    from tests.support.time import Clock


@pytest.fixture
def second(sign_in: SignIn, tenant: Tenant) -> httpx2.Client:
    """Another administrator of the tenant."""
    return sign_in(tenant)


@pytest.fixture
def fleet(world: World, moment: Clock) -> list[Device]:
    """Three devices that can install release two, in a tenant that demands approval for two devices and more."""
    world.upload("two")
    devices = [world.device() for _ in range(3)]
    demand(world, approval_devices=1)
    return devices

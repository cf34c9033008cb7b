"""Fixtures of the configuration tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.deployments.world import World
from tests.deviceconfig.operator import Configured

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> World:
    """A tenant with an administrator and nothing else."""
    return World(api, http, tenant.tenant_token)


@pytest.fixture
def configured(world: World) -> Configured:
    """An accepted device, with calls for its configuration."""
    return Configured(world, world.device())

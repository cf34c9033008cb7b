"""Devices for tests of device authentication."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulator.device import Device

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant


@pytest.fixture
def device(http: httpx2.Client, tenant: Tenant) -> Device:
    """A device of the tenant that is still unknown to the server."""
    return Device(http, tenant.tenant_token)

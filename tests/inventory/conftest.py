"""Devices for tests of the inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.devauth.fleet import accept
from tests.simulator.device import Device

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant


@pytest.fixture
def device(http: httpx2.Client, api: httpx2.Client, tenant: Tenant) -> Device:
    """An accepted device of the tenant."""
    made = Device(http, tenant.tenant_token)
    accept(api, made)
    return made

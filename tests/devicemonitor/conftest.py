"""Fixtures of the monitor's tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.deployments.world import World
from tests.devicemonitor.monitored import Monitored
from tests.support.mailbox import Mailbox, of_server

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer


@pytest.fixture
def monitored(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> Monitored:
    """An accepted device, with calls for its alerts."""
    world = World(api, http, tenant.tenant_token)
    return Monitored(world, world.device())


@pytest.fixture
def mailbox(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """The mailbox that receives all mails."""
    with of_server(server, monkeypatch) as box:
        yield box

"""Fixtures of the deployment tests."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from chalicelib.storage import due, keys
from tests.deployments.world import World
from tests.support.time import Clock

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> World:
    """A tenant with an administrator and nothing else."""
    return World(api, http, tenant.tenant_token)


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The server's clock, which stands still until the test moves it."""
    return Clock(monkeypatch)


@pytest.fixture(autouse=True)
def own_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    """What becomes due during a test is stored apart, so that its schedule does not see what earlier tests left."""
    name = uuid.uuid4().hex
    monkeypatch.setattr(due, "_part", lambda number: keys.shared("DUE", f"{number}-{name}"))

"""Fixtures for the tests of all routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chalicelib.http.identity import Auth
from tests.all_routes.table import Route, routes
from tests.all_routes.tenants import Tenant
from tests.deployments.world import World

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant as TenantRecord
    from infra.local.testing import LocalServer


@pytest.fixture
def mine(api: httpx2.Client, http: httpx2.Client, tenant: TenantRecord) -> Tenant:
    """A tenant that has one of everything, including a child tenant."""
    made = Tenant(World(api, http, tenant.tenant_token))
    made.add_child()
    return made


@pytest.fixture
def changing(server: LocalServer) -> list[Route]:
    """The routes by which users change something; those that delete something come last."""
    found = [route for route in routes(server.app) if route.spec.auth is Auth.USER and route.spec.method != "GET"]
    return sorted(found, key=lambda route: ("POST", "PUT", "PATCH", "DELETE").index(route.spec.method))

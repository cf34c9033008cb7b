"""An answer that is too large for a function is refused with advice how to get smaller ones, and is not a 502."""

from __future__ import annotations

import httpx2
import pytest

from chalicelib.http import gateway_events
from chalicelib.http.routing import RouteTable
from infra.local.lambda_context import LambdaContext
from infra.local.testing import LocalServer
from tests.deployments.world import World
from tests.http.events import Sent

INVENTORY = "/management/v1/inventory/devices"
TOO_LARGE = "the answer is too large: ask for less at a time, such as a smaller per_page"


@pytest.fixture
def fleet(api: httpx2.Client, http: httpx2.Client, tenant) -> World:
    """Devices of 280 KB each, and of twice that in the JSON of a function's result."""
    world = World(api, http, tenant.tenant_token)
    for _ in range(12):
        assert world.device().inventory({f"notes-{each}": '"' * 14_000 for each in range(10)}).status_code == 200
    return world


def test_a_page_that_is_too_large_for_a_function(fleet: World) -> None:
    refused = fleet.api.get(f"/api{INVENTORY}", params={"per_page": 100})
    fits = fleet.api.get(f"/api{INVENTORY}", params={"per_page": 8})

    assert (refused.status_code, refused.json()["error"]) == (400, TOO_LARGE)
    assert refused.json()["request_id"] == refused.headers["x-men-requestid"]
    assert [fits.status_code, len(fits.json())] == [200, 8]


def test_the_limit_of_a_load_balancer_is_lower(server: LocalServer, fleet: World) -> None:
    routes = RouteTable(server.app.routes)

    def page(size: int) -> int:
        lines = {"authorization": [str(fleet.api.headers["Authorization"])]}
        event = Sent("GET", INVENTORY, f"per_page={size}", lines).balancer()
        answer = gateway_events.serve(event, routes, lambda each: server.app(each, LambdaContext("api", 29)))
        return int(answer["statusCode"])

    assert [page(1), page(2)] == [200, 400]

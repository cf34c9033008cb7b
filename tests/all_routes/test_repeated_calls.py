"""On every route that changes something, repeating a call has no second effect.

The first answer is lost, at each of the writes, or it arrives. New routes are covered; how to make a call that changes
something is defined for ``test_audit.py``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.all_routes.silent import ELSEWHERE, SILENT
from tests.all_routes.state import changed, state
from tests.all_routes.tenants import BODIES
from tests.all_routes.test_audit import attempts, entries
from tests.all_routes.test_bounds import OTHERS
from tests.deployments.world import World, serves
from tests.simulator.device import Device
from tests.support.crashes import WRITES, PowerCutError, power_cut
from tests.support.time import Clock

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant as TenantRecord
    from infra.local.testing import LocalServer
    from tests.all_routes.table import Route
    from tests.all_routes.tenants import Tenant

M1, M2 = "/management/v1", "/management/v2"

SETS = {
    f"POST {M1}/useradm/settings": "sets the whole document",
    f"POST {M1}/useradm/users/{{id}}/assign": "sets all tenants of a user",
    f"POST {M2}/tenantadm/tenants/{{id}}/plan": "sets the requested plan",
}
"""Routes that set something although their method is not ``PUT``; they may be repeated."""

TWICE = {
    f"POST {M1}/deviceconfig/configurations/device/{{id}}/deploy": "creates another deployment, as on Mender's server",
    f"POST {M1}/useradm/users/{{id}}/invitation": "each call sends a mail",
    f"POST {M1}/useradm/users/me/2fa/recovery-codes": "new codes each time, in place of those of a lost answer",
}
"""Routes by which each call is a change of its own; why."""


@pytest.fixture(scope="module")
def server(own_server: LocalServer) -> LocalServer:
    return own_server


def losses(mine: Tenant, route: Route) -> Iterator[str]:
    """Kill the process after each write of a route in turn, and finally after none; returns what is wrong then."""
    for number in range(1, 10):
        for values, more in attempts(mine, route):
            before = entries(mine)

            def call(values: dict[str, str] = values, more: dict[str, Any] = more) -> httpx2.Response:
                return mine.world.api.request(route.spec.method, route.uri(values), **more)

            with power_cut(number, answered=True, of=WRITES) as cut, suppress(PowerCutError):
                first = call()
            again = call()
            added = entries(mine) - before
            if cut.happened or first.is_success:
                told = f"{route.name}, write {number}: {again.status_code} {again.text[:200]}, {added} entries"
                break
        else:
            yield f"{route.name}: no attempt worked"
            return
        # What is set twice is as it was set once, though the log says so twice.
        most = 2 if route.spec.method != "POST" or route.name in SETS else 1
        if again.status_code >= 500 or added > most:
            yield told
        if not cut.happened:
            return


def test_a_call_that_is_repeated_after_a_lost_answer_has_one_effect(mine: Tenant, changing: list[Route]):
    exempt = SILENT.keys() | ELSEWHERE.keys() | TWICE.keys()

    wrong = [told for route in changing if route.name not in exempt for told in losses(mine, route)]

    assert not wrong, "\n".join(wrong)


Call = Callable[[], "httpx2.Response"]


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: TenantRecord) -> World:
    """A tenant that has only an artifact."""
    made = World(api, http, tenant.tenant_token)
    made.upload("v1")
    return made


def new(world: World) -> Call:
    return Device(world.http, world.token).auth


def poll(world: World) -> Call:
    device = world.device()
    world.deploy("v1", [device.id], name=uuid.uuid4().hex)
    return device.poll


def reports(status: str, retries: int = 0) -> Callable[[World], Call]:
    def ready(world: World) -> Call:
        device = world.device()
        made = world.deploy("v1", [device.id], name=uuid.uuid4().hex, retries=retries)
        serves(device.poll(), made)
        return lambda: device.report(made, status)

    return ready


def sends(method: str, path: str) -> Callable[[World], Call]:
    def ready(world: World) -> Call:
        device = world.device()
        return lambda: device.call(method, path, OTHERS[f"{method} /devices{path}"])

    return ready


def logs(world: World) -> Call:
    device, body = world.device(), BODIES["PUT /devices/v1/deployments/device/deployments/{id}/log"]
    made = world.deploy("v1", [device.id], name=uuid.uuid4().hex)
    serves(device.poll(), made)
    return lambda: device.call("PUT", f"/v1/deployments/device/deployments/{made}/log", body)


CALLS: dict[str, Callable[[World], Call]] = {
    "the first request": new,
    "a poll": poll,
    "progress": reports("installing"),
    "success": reports("success"),
    "a failure": reports("failure"),
    "a failure with another attempt": reports("failure", retries=1),
    "a log": logs,
    "inventory": sends("PUT", "/v1/inventory/device/attributes"),
    "a part of the inventory": sends("PATCH", "/v1/inventory/device/attributes"),
    "configuration": sends("PUT", "/v1/deviceconfig/configuration"),
    "alerts": sends("POST", "/v1/devicemonitor/alert"),
    "checks": sends("POST", "/v1/devicemonitor/config"),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_device_that_got_no_answer_can_repeat_its_call(
    world: World, tenant: TenantRecord, what: str, monkeypatch: pytest.MonkeyPatch
):
    Clock(monkeypatch)  # what else is stored is when it was
    expected = CALLS[what](world)().status_code
    for number in range(1, 10):
        call = CALLS[what](world)
        with power_cut(number, answered=True, of=WRITES) as cut, suppress(PowerCutError):
            call()
        assert call().status_code == expected
        once = state(tenant.id)
        assert call().status_code == expected
        assert changed(once, state(tenant.id)) == []
        if not cut.happened:
            assert number > 1, "it writes nothing"
            return


def test_exceptions_are_of_existing_routes(changing: list[Route]):
    assert SETS.keys() | TWICE.keys() <= {route.name for route in changing}

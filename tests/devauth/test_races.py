"""Many at once: limits hold, one set wins, nothing is counted twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import httpx2
import pytest

from chalicelib.fleet import heads, membership
from chalicelib.tenantadm import service as tenantadm
from tests.devauth.fleet import DEVICES, decide, find, set_of
from tests.simulator.device import Device, new_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.testing import LocalServer

THREADS = 16


def at_once(calls: list[Callable[[], int]]) -> list[int]:
    """Results of the calls, all let go at the same moment."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], int]) -> int:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def accepting(server: LocalServer, api: httpx2.Client, device_id: str, set_id: str) -> Callable[[], int]:
    """A call that accepts a set, on a connection of its own."""

    def call() -> int:
        with httpx2.Client(base_url=server.url, headers=api.headers, timeout=60) as client:
            path = f"{DEVICES}/{device_id}/auth/{set_id}/status"
            return client.put(path, json={"status": "accepted"}).status_code

    return call


def test_of_sixteen_devices_the_limit_lets_ten_in(server, api, http, tenant):
    tenantadm.set_limits(tenant.id, max_devices=10)
    devices = [Device(http, tenant.tenant_token) for _ in range(THREADS)]
    for device in devices:
        device.auth()
    places = [set_of(api, device) for device in devices]
    answers = at_once([accepting(server, api, *place) for place in places])
    assert sorted(answers) == [204] * 10 + [422] * 6
    assert api.get(f"{DEVICES}/count", params={"status": "accepted"}).json() == {"count": 10}
    assert api.get(f"{DEVICES}/count", params={"status": "pending"}).json() == {"count": 6}
    assert len(list(membership.accepted_devices(tenant.id))) == 10
    assert sum(device.auth().status_code == 200 for device in devices) == 10


def test_of_two_keys_of_a_device_one_is_accepted(server, api, device, tenant):
    keys = [device.key, new_key()]
    places = []
    for key in keys:
        device.key = key
        device.auth()
        places.append(set_of(api, device))
    for _ in range(5):
        assert at_once([accepting(server, api, *place) for place in places]) == [204, 204]
        known = find(api, device)
        winners = [item["id"] for item in known["auth_sets"] if item["status"] == "accepted"]
        assert len(winners) == 1
        head = heads.find(tenant.id, known["id"])
        assert head is not None
        assert [head.auth_set] == winners
        assert api.get(f"{DEVICES}/count").json() == {"count": 1}


def test_many_first_requests_make_one_device(server, api, device):
    def ask():
        with httpx2.Client(base_url=server.url, timeout=60) as client:
            return Device(client, device.tenant_token, device.identity, device.key).auth().status_code

    assert set(at_once([ask] * THREADS)) == {401}
    (known,) = api.get(DEVICES).json()
    assert len(known["auth_sets"]) == 1
    assert api.get(f"{DEVICES}/count").json() == {"count": 1}


@pytest.mark.parametrize("wanted", ["accepted", "rejected"])
def test_a_decision_and_a_move_at_once_agree_in_the_end(server, api, device, tenant, wanted):
    device.auth()
    device_id, _ = set_of(api, device)

    def move():
        with httpx2.Client(base_url=server.url, headers=api.headers, timeout=60) as client:
            path = f"/api/management/v1/inventory/devices/{device_id}/group"
            return client.put(path, json={"group": "g"}).status_code

    answers = at_once([move, lambda: decide(api, device, wanted).status_code])
    assert answers == [204, 204]
    assert list(membership.group_members(tenant.id, "g", status=wanted)) == [device_id]
    assert membership.group_size(tenant.id, "g") == 1

"""Concurrent requests: limits hold, one auth set is accepted, and nothing is counted twice."""

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


def concurrently(calls: list[Callable[[], int]]) -> list[int]:
    """The results of calls that start at the same moment."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], int]) -> int:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def accepting(server: LocalServer, api: httpx2.Client, device_id: str, set_id: str) -> Callable[[], int]:
    """A call on its own connection that accepts an auth set."""

    def call() -> int:
        with httpx2.Client(base_url=server.url, headers=api.headers, timeout=60) as client:
            path = f"{DEVICES}/{device_id}/auth/{set_id}/status"
            return client.put(path, json={"status": "accepted"}).status_code

    return call


def test_ten_of_sixteen_devices_are_accepted_with_a_limit_of_ten(server, api, http, tenant):
    tenantadm.set_limits(tenant.id, max_devices=10)
    devices = [Device(http, tenant.tenant_token) for _ in range(THREADS)]
    for device in devices:
        device.auth()
    places = [set_of(api, device) for device in devices]
    answers = concurrently([accepting(server, api, *place) for place in places])
    assert sorted(answers) == [204] * 10 + [422] * 6
    assert api.get(f"{DEVICES}/count", params={"status": "accepted"}).json() == {"count": 10}
    assert api.get(f"{DEVICES}/count", params={"status": "pending"}).json() == {"count": 6}
    assert len(list(membership.accepted_devices(tenant.id))) == 10
    assert sum(device.auth().status_code == 200 for device in devices) == 10


def test_one_of_two_keys_of_a_device_is_accepted(server, api, device, tenant):
    keys = [device.key, new_key()]
    places = []
    for key in keys:
        device.key = key
        device.auth()
        places.append(set_of(api, device))
    for _ in range(5):
        assert concurrently([accepting(server, api, *place) for place in places]) == [204, 204]
        known = find(api, device)
        winners = [item["id"] for item in known["auth_sets"] if item["status"] == "accepted"]
        assert len(winners) == 1
        head = heads.find(tenant.id, known["id"])
        assert head is not None
        assert [head.auth_set] == winners
        assert api.get(f"{DEVICES}/count").json() == {"count": 1}


def test_concurrent_first_requests_create_one_device(server, api, device):
    def ask():
        with httpx2.Client(base_url=server.url, timeout=60) as client:
            return Device(client, device.tenant_token, device.identity, device.key).auth().status_code

    assert set(concurrently([ask] * THREADS)) == {401}
    (known,) = api.get(DEVICES).json()
    assert len(known["auth_sets"]) == 1
    assert api.get(f"{DEVICES}/count").json() == {"count": 1}


@pytest.mark.parametrize("wanted", ["accepted", "rejected"])
def test_a_concurrent_decision_and_move_to_a_group_agree(server, api, device, tenant, wanted):
    device.auth()
    device_id, _ = set_of(api, device)

    def move():
        with httpx2.Client(base_url=server.url, headers=api.headers, timeout=60) as client:
            path = f"/api/management/v1/inventory/devices/{device_id}/group"
            return client.put(path, json={"group": "g"}).status_code

    answers = concurrently([move, lambda: decide(api, device, wanted).status_code])
    assert answers == [204, 204]
    assert list(membership.group_members(tenant.id, "g", status=wanted)) == [device_id]
    assert membership.group_size(tenant.id, "g") == 1

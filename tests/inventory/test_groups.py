"""Static groups."""

from __future__ import annotations

import pytest

from chalicelib.fleet import membership
from chalicelib.tenantadm import service
from tests.devauth.fleet import find
from tests.inventory.views import DEVICES, GROUPS, ids, path, values
from tests.simulator.device import Device


@pytest.fixture
def three(http, api, tenant) -> list[str]:
    """The sorted ids of three pending devices."""
    devices = [Device(http, tenant.tenant_token) for _ in range(3)]
    for device in devices:
        device.auth()
    return sorted(find(api, device)["id"] for device in devices)


def put(api, device_id, group):
    return api.put(path(device_id, "/group"), json={"group": group})


def members(api, group):
    answer = api.get(f"{GROUPS}/{group}/devices")
    return answer.json() if answer.status_code == 200 else answer.status_code


def test_a_device_is_in_at_most_one_group(api, device):
    assert api.get(path(device.id, "/group")).json() == {"group": None}
    assert put(api, device.id, "a").status_code == 204
    assert put(api, device.id, "a").status_code == 204
    assert api.get(path(device.id, "/group")).json() == {"group": "a"}
    assert values(api, device.id, "system")["group"] == "a"
    assert put(api, device.id, "b").status_code == 204
    assert api.get(GROUPS).json() == ["b"]
    assert members(api, "a") == 404
    assert members(api, "b") == [device.id]


def test_removing_a_device_from_its_group(api, device):
    put(api, device.id, "a")
    assert api.delete(path(device.id, "/group/b")).status_code == 404
    assert api.delete(path("nobody", "/group/a")).status_code == 404
    assert api.delete(path(device.id, "/group/a")).status_code == 204
    assert api.delete(path(device.id, "/group/a")).status_code == 404
    assert api.get(GROUPS).json() == []
    assert api.get(path(device.id, "/group")).json() == {"group": None}


@pytest.mark.parametrize("name", ["", "a b", "ä", "a.b", "a/b", "x" * 257, None])
def test_invalid_group_names_are_refused(api, device, name):
    assert put(api, device.id, name).status_code == 400


def test_the_error_for_invalid_names(api, device):
    assert put(api, device.id, "a b").json()["error"] == (
        "group name can only contain: upper/lowercase alphanum, -(dash), _(underscore)"
    )


def test_an_unknown_device_gets_404(api):
    assert put(api, "nobody", "a").status_code == 404
    assert api.get(path("nobody", "/group")).status_code == 404
    answer = api.get(f"{GROUPS}/a/devices")
    assert (answer.status_code, answer.json()["error"]) == (404, "group not found")


def test_lists_of_devices(api, tenant, three):
    url = f"{GROUPS}/a/devices"
    put(api, three[0], "a")
    answer = api.patch(url, json=[*three, "nobody", three[1]])
    assert answer.json() == {"matched_count": 3, "updated_count": 2}
    assert members(api, "a") == three
    assert membership.group_size(tenant.id, "a") == 3
    assert api.patch(url, json=three).json() == {"matched_count": 3}
    assert api.patch(url, json=["nobody"]).json() == {}
    put(api, three[2], "b")
    answer = api.request("DELETE", url, json=[three[1], three[2]])
    assert answer.json() == {"matched_count": 1, "updated_count": 1}
    assert members(api, "a") == [three[0]]
    assert members(api, "b") == [three[2]]
    for method in ("PATCH", "DELETE"):
        empty = api.request(method, url, json=[])
        assert (empty.status_code, empty.json()["error"]) == (400, "no device IDs present in payload")
        assert api.request(method, url, json={}).status_code == 400
        assert api.request(method, f"{GROUPS}/a%20b/devices", json=three).status_code == 400


def test_deleting_a_group(api, three):
    api.patch(f"{GROUPS}/a/devices", json=three)
    assert api.delete(f"{GROUPS}/a").json() == {"matched_count": 3, "updated_count": 3}
    assert api.get(GROUPS).json() == []
    answer = api.delete(f"{GROUPS}/a")
    assert (answer.status_code, answer.json()) == (200, {})


def test_pages_of_a_group(api, three):
    api.patch(f"{GROUPS}/a/devices", json=three)
    pages = [api.get(f"{GROUPS}/a/devices", params={"per_page": 2, "page": page}) for page in (1, 2, 3)]
    assert [page.json() for page in pages] == [three[:2], three[2:], []]
    assert {page.headers["x-total-count"] for page in pages} == {"3"}
    assert 'page=2&per_page=2>; rel="next"' in pages[0].headers["link"]
    assert 'page=2&per_page=2>; rel="last"' in pages[0].headers["link"]


def test_groups_by_status(api, device, three):
    put(api, device.id, "accepted-ones")
    put(api, three[0], "waiting")
    assert api.get(GROUPS).json() == ["accepted-ones", "waiting"]
    assert api.get(GROUPS, params={"status": "accepted"}).json() == ["accepted-ones"]
    assert api.get(GROUPS, params={"status": "rejected"}).json() == []


def test_more_devices_than_a_transaction_holds(http, api, tenant):
    devices = [Device(http, tenant.tenant_token) for _ in range(45)]
    for device in devices:
        device.auth()
    everyone = sorted(ids(api.get(DEVICES, params={"per_page": 100})))
    for number, device_id in enumerate(everyone):
        if number % 2:
            put(api, device_id, f"old-{number}")
    answer = api.patch(f"{GROUPS}/all/devices", json=everyone)
    assert answer.json() == {"matched_count": 45, "updated_count": 45}
    assert api.get(GROUPS).json() == ["all"]
    assert membership.group_size(tenant.id, "all") == 45
    assert list(membership.group_members(tenant.id, "all")) == everyone
    assert api.get(DEVICES, params={"group": "all", "per_page": 1}).headers["x-total-count"] == "45"


def test_groups_of_tenants_are_separate(api, device, sign_in):
    put(api, device.id, "a")
    stranger = sign_in(service.create_tenant("Other"))
    assert stranger.get(GROUPS).json() == []
    assert put(stranger, device.id, "b").status_code == 404
    assert stranger.delete(f"{GROUPS}/a").json() == {}
    assert stranger.get(path(device.id)).status_code == 404
    assert stranger.put(path(device.id, "/tags"), json=[{"name": "a", "value": "b"}]).status_code == 200
    assert values(api, device.id, "tags") == {}
    assert members(api, "a") == [device.id]

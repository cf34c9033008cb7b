"""Lists built from several reads while rows move between them: no row is missing or repeated."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.storage.settled import settled
from tests.deployments.world import DEPLOYMENTS, DEVAUTH, World, serves
from tests.support.moving import each_moment

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant

M1 = "/api/management/v1"


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> World:
    return World(api, http, tenant.tenant_token)


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("wanted", [[], ["active"]], ids=["all", "active"])
def test_a_row_that_changes_its_status_is_listed_once(
    world: World, monkeypatch: pytest.MonkeyPatch, size: str, wanted: list[str]
) -> None:
    if size == "large":
        monkeypatch.setattr("chalicelib.deployments.service.operators.details._READ_WHOLE", 0)
    world.upload("two")
    devices = [world.device() for _ in range(3)]
    deployment = world.deploy("two")
    for device in devices:
        serves(device.poll(), deployment)
    reports = ["downloading", "installing", "rebooting", "downloading", "pause_before_installing", "rebooting"] * 9
    changes = (lambda status=status: devices[1].report(deployment, status) for status in reports)

    for path in ("devices/list", "devices"):
        listed = partial(world.api.get, f"{DEPLOYMENTS}/{deployment}/{path}", params={"status": wanted})
        for answer in each_moment(listed, changes):
            assert sorted(row["id"] for row in answer.json()) == sorted(device.id for device in devices)
            assert answer.headers.get("X-Total-Count", "3") == "3"


def test_a_device_that_changes_its_status_is_listed_once(world: World) -> None:
    devices = [world.device() for _ in range(3)]
    moved = devices[1].id
    auth_set = world.api.get(f"{DEVAUTH}/{moved}").json()["auth_sets"][0]["id"]
    place = f"{DEVAUTH}/{moved}/auth/{auth_set}/status"
    statuses = ["rejected", "accepted"] * 20
    changes = (lambda status=status: world.api.put(place, json={"status": status}) for status in statuses)

    wanted = {"status": ["accepted", "rejected"]}
    for answer in each_moment(lambda: world.api.get(DEVAUTH, params=wanted), changes):
        assert sorted(device["id"] for device in answer.json()) == sorted(device.id for device in devices)


def test_a_device_that_changes_its_group_is_listed_for_users_of_both_groups(
    world: World, tenant: Tenant, sign_in: Any
) -> None:
    devices = [world.device() for _ in range(3)]
    moved = devices[1].id
    for device in devices:
        world.api.put(f"{M1}/inventory/devices/{device.id}/group", json={"group": "one"})
    scope = {"type": "DeviceGroups", "value": ["one", "two"]}
    role = {"name": "both", "permission_sets_with_scope": [{"name": "ReadDevices", "scope": scope}]}
    made = world.api.post("/api/management/v2/useradm/roles", json=role)
    assert made.status_code == 201, made.text
    user = sign_in(tenant, "both")
    place = f"{M1}/inventory/devices/{moved}/group"
    changes = (lambda group=group: world.api.put(place, json={"group": group}) for group in ["two", "one"] * 20)

    for answer in each_moment(lambda: user.get(DEVAUTH), changes):
        assert sorted(device["id"] for device in answer.json()) == sorted(device.id for device in devices)


def test_two_equal_reads_are_enough() -> None:
    found = iter([[1], [1, 2], [2, 1], [2, 1], [3]])

    assert settled(lambda: next(found), list) == [2, 1]


def test_constantly_changing_rows_are_read_four_times() -> None:
    found = iter(range(10))

    assert settled(lambda: next(found), lambda number: number) == 3

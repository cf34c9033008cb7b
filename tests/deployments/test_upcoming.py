"""Upcoming deployments of a device: the prediction equals what its polls then get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import limits
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.roles.test_roles import ROLES, role, scoped
from tests.support.probe import counted

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn
    from tests.simulator.device import Device
    from tests.support.time import Clock


@pytest.fixture
def device(world: World) -> Device:
    """A device that reported its type, and two releases."""
    world.upload("two")
    world.upload("three")
    device = world.device()
    device.inventory()
    return device


def _told(world: World, device: Device) -> list[dict[str, Any]]:
    answer = world.api.get(f"{DEPLOYMENTS}/devices/{device.id}/upcoming")
    assert answer.status_code == 200, answer.text
    told: list[dict[str, Any]] = answer.json()
    return told


def _brief(world: World, device: Device) -> list[tuple[str, str]]:
    return [(each["id"], each["when"]) for each in _told(world, device)]


def test_deployments_are_listed_in_the_order_of_polls(world: World, device: Device) -> None:
    assert _told(world, device) == []
    first = world.deploy("two", [device.id], name="first")
    second = world.deploy("three", name="second")
    world.deploy("two", [world.device().id], name="of another")
    (next_one, later) = _told(world, device)
    assert next_one == {
        "id": first,
        "name": "first",
        "artifact_name": "two",
        "type": "software",
        "created": world.show(first)["created"],
        "when": "next",
        "outcome": "update",
    }
    assert (later["id"], later["when"]) == (second, "later")

    serves(device.poll(), first)
    assert _brief(world, device) == [(first, "active"), (second, "later")]

    device.report(first, "success")
    assert _brief(world, device) == [(second, "next")]

    world.abort(second)
    assert _told(world, device) == []


def test_a_deployment_that_waits_for_a_phase_is_listed(world: World, device: Device, moment: Clock) -> None:
    faster = world.device()
    start, second = moment.later(hours=1), moment.later(hours=2)
    phases = [{"batch_size": 50, "start_ts": start}, {"start_ts": second}]
    slow = world.deploy("two", [device.id, faster.id], phases=phases, name="slow")
    fixes = world.deploy("three", [device.id], name="fixes")
    (waiting, behind) = _told(world, device)
    assert (waiting["id"], waiting["when"], waiting["opens"]) == (slow, "phase", start)
    assert (behind["id"], behind["when"]) == (fixes, "later")

    moment.move(hours=1)
    assert _brief(world, device) == [(slow, "next"), (fixes, "later")]
    serves(faster.poll(), slow)
    (waiting, _) = _told(world, device)
    assert (waiting["when"], waiting["opens"]) == ("phase", second)
    serves_nothing(device.poll())

    moment.move(hours=1)
    assert _brief(world, device)[0] == (slow, "next")
    serves(device.poll(), slow)


def test_the_result_of_the_next_poll_is_predicted(world: World, device: Device) -> None:
    world.upload("other", ("another-type",))
    world.upload("demanding", depends={"rootfs-image.version": "1"})
    for release in (device.artifact_name, "other", "demanding", "two"):
        if release == device.artifact_name:
            world.upload(release)
        world.deploy(release, [device.id], name=release)
    told = [(each["name"], each["outcome"]) for each in _told(world, device)]
    assert told == [
        (device.artifact_name, "already-installed"),
        ("other", "noartifact"),
        ("demanding", "unknown"),
        ("two", "update"),
    ]
    silent = world.device()
    world.deploy("two", [silent.id], name="to a device that never polled")
    assert [each["outcome"] for each in _told(world, silent)] == ["unknown"]


def test_current_filter_matches_and_limits_are_used(world: World, device: Device) -> None:
    terms = [{"scope": "inventory", "attribute": "device_type", "type": "$eq", "value": device.device_type}]
    made = world.api.post("/api/management/v2/inventory/filters", json={"name": "all of a type", "terms": terms})
    body = {"name": "one of them", "artifact_name": "two", "filter_id": made.headers["Location"].rsplit("/")[-1]}
    created = world.api.post(DEPLOYMENTS.replace("v1", "v2"), json={**body, "max_devices": 1})
    assert created.status_code == 201, created.text
    deployment = created.headers["Location"].rsplit("/", 1)[-1]
    other = world.device()
    assert _told(world, other) == []
    other.inventory()
    assert _brief(world, other) == _brief(world, device) == [(deployment, "next")]
    serves(other.poll(), deployment)
    assert _told(world, device) == []
    assert _brief(world, other) == [(deployment, "active")]


def test_deployments_outside_of_the_users_scope_are_not_listed(
    world: World, device: Device, sign_in: SignIn, tenant: Tenant
) -> None:
    groups = "/api/management/v1/inventory/groups/mine/devices"
    assert world.api.patch(groups, json=[device.id]).status_code == 200
    outside = world.device()
    world.deploy("two", name="to all")
    mine = world.deploy("three", group="mine", name="to the group")
    assert world.api.post(ROLES, json=role("mine", scoped("DeployToDevices", "mine"))).status_code == 201
    user = sign_in(tenant, "mine")
    told = user.get(f"{DEPLOYMENTS}/devices/{device.id}/upcoming").json()
    assert [(each["id"], each["when"]) for each in told] == [(mine, "later")]
    assert user.get(f"{DEPLOYMENTS}/devices/{outside.id}/upcoming").status_code == 403


def test_the_cost_does_not_grow_with_fleet_and_history(
    world: World, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{DEPLOYMENTS}/devices/{device.id}/upcoming"

    def cost(*, told: int) -> int:
        answer = world.api.get(path)  # now all plans are cached
        assert len(answer.json()) == told
        with counted() as found:
            again = world.api.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304
        return found.round_trips

    world.deploy("two", name="one")
    small = cost(told=1)
    for number in range(5):
        world.device()
        world.deploy("two", name=f"more {number}")
    assert cost(told=6) <= small
    monkeypatch.setattr(limits, "UPCOMING", 3)
    assert cost(told=3) <= small

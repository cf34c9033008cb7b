"""Lists, pages and statistics of deployments while devices update."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.support.links import relations

if TYPE_CHECKING:
    from tests.simulator.device import Device

STATUSES = {
    "success",
    "pending",
    "downloading",
    "rebooting",
    "installing",
    "failure",
    "noartifact",
    "already-installed",
    "aborted",
    "decommissioned",
    "pause_before_installing",
    "pause_before_committing",
    "pause_before_rebooting",
}
ORDER = [
    "failure",
    "pause_before_installing",
    "pause_before_committing",
    "pause_before_rebooting",
    "downloading",
    "installing",
    "rebooting",
    "success",
    "already-installed",
]
"""Statuses that devices report, in the order of lists of devices."""
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z")


@pytest.fixture
def device(world: World) -> Device:
    world.upload("two")
    return world.device()


@pytest.fixture
def spread(world: World) -> str:
    """A deployment with a device in every status, one that only polled, and one that did not."""
    devices = [world.device() for _ in range(len(ORDER) + 2)]
    world.upload("two")
    deployment = world.deploy("two")
    for device in devices[:-1]:
        serves(device.poll(), deployment)
    for device, status in zip(devices, ORDER, strict=False):
        assert device.report(deployment, status).status_code == 204
    return deployment


def test_every_status_is_counted(world: World, spread: str) -> None:
    stats = world.api.get(f"{DEPLOYMENTS}/{spread}/statistics").json()

    assert set(stats) == STATUSES
    expected = {status: int(status in ORDER) for status in STATUSES} | {"pending": 2}
    assert stats == expected == world.show(spread)["statistics"]["status"]
    shown = world.show(spread)
    assert (shown["status"], shown["device_count"], shown["max_devices"]) == ("inprogress", 10, 11)


def test_devices_are_ordered_by_status(world: World, spread: str) -> None:
    place = f"{DEPLOYMENTS}/{spread}/devices/list"
    known = [*ORDER[:7], "pending", *ORDER[7:]]

    assert [row["status"] for row in world.api.get(place).json()] == known
    pages = [world.api.get(place, params={"page": page, "per_page": 3}) for page in range(1, 6)]
    assert [row["status"] for page in pages for row in page.json()] == known
    assert {page.headers["X-Total-Count"] for page in pages} == {"10"}
    assert [list(relations(page)) for page in pages] == [
        ["first", "next", "last"],
        ["first", "prev", "next", "last"],
        ["first", "prev", "next", "last"],
        ["first", "prev", "last"],
        ["first", "prev", "last"],
    ]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["success"], {"success"}),
        (["success", "failure"], {"success", "failure"}),
        (["pause"], {"pause_before_installing", "pause_before_committing", "pause_before_rebooting"}),
        (["finished"], {"success", "failure", "already-installed"}),
        (
            ["pause", "success"],
            {"pause_before_installing", "pause_before_committing", "pause_before_rebooting", "success"},
        ),
        (["active"], {*ORDER, "pending"} - {"success", "failure", "already-installed"}),
        (["noartifact"], set()),
    ],
)
def test_devices_are_filtered_by_status(world: World, spread: str, wanted: list[str], found: set[str]) -> None:
    answer = world.api.get(f"{DEPLOYMENTS}/{spread}/devices/list", params={"status": wanted, "per_page": 2})

    assert answer.headers["X-Total-Count"] == str(len(found))
    everything = world.api.get(f"{DEPLOYMENTS}/{spread}/devices/list", params={"status": wanted})
    assert {row["status"] for row in everything.json()} == found
    bad = world.api.get(f"{DEPLOYMENTS}/{spread}/devices/list", params={"status": [*wanted, "odd"]})
    assert (bad.status_code, bad.json()["error"]) == (400, "status: must be a valid value")


def test_links_keep_the_query(world: World, device: Device) -> None:
    for number in range(3):
        world.deploy("two", [device.id], name=f"number {number}")

    answer = world.api.get(DEPLOYMENTS, params={"search": "number & more", "per_page": 2})

    assert answer.headers["X-Total-Count"] == "3"
    base = f"{DEPLOYMENTS}?page={{}}&per_page=2&search=number+%26+more"
    assert relations(answer) == {"first": base.format(1), "next": base.format(2), "last": base.format(2)}
    second = world.api.get(relations(answer)["next"])
    assert len(second.json()) == 1
    assert relations(second) == {"first": base.format(1), "prev": base.format(1), "last": base.format(2)}
    beyond = world.api.get(DEPLOYMENTS, params={"page": 9})
    assert (beyond.json(), beyond.headers["X-Total-Count"]) == ([], "3")


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"page": "x"}, 'invalid page query: "x"'),
        ({"per_page": "-1"}, 'invalid per_page query: "-1"'),
        ({"per_page": "0"}, "invalid per_page query: value must be a non-zero positive integer"),
        ({"per_page": "501"}, 'parameter "per_page" above limit (max: 500)'),
    ],
)
def test_invalid_pages_are_refused(world: World, device: Device, query: dict[str, str], error: str) -> None:
    deployment = world.deploy("two", [device.id])
    for path in ("", f"/{deployment}/devices/list", f"/devices/{device.id}"):
        answer = world.api.get(DEPLOYMENTS + path, params=query)
        assert answer.status_code == 400
        assert answer.json()["error"] == (error if path[:9] != "/devices/" else error.replace("500", "20"))


@pytest.mark.parametrize("list_of", [DEPLOYMENTS, DEPLOYMENTS.replace("v1", "v2")], ids=["v1", "v2"])
@pytest.mark.parametrize("milliseconds", [0, 1, 800])
def test_time_limits_are_inclusive_with_milliseconds(
    world: World, device: Device, monkeypatch: pytest.MonkeyPatch, list_of: str, milliseconds: int
) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    with monkeypatch.context() as patch:
        patch.setattr("chalicelib.deployments.service.operators.creating.clock.now", lambda: moment)
        world.deploy("two", [device.id])
    created = int(moment.timestamp())

    def found(**query: int) -> bool:
        return bool(world.api.get(list_of, params=query).json())

    assert found(created_before=created) is (milliseconds == 0)
    assert found(created_after=created) is True
    assert found(created_after=created, created_before=created) is (milliseconds == 0)
    assert found(created_after=created, created_before=created + 1)
    assert not found(created_after=created + 1)
    assert not found(created_before=created - 1)


def test_statuses_in_lists_follow_reports(world: World, device: Device) -> None:
    deployment = world.deploy("two", [device.id])

    def where() -> list[str]:
        wanted = ("pending", "inprogress", "finished", "scheduled")
        return [each for each in wanted if world.api.get(DEPLOYMENTS, params={"status": each}).json()]

    assert where() == ["pending"]
    serves(device.poll(), deployment)
    assert where() == ["pending"]  # polling alone changes no status
    device.report(deployment, "downloading")
    assert where() == ["inprogress"]
    device.report(deployment, "success")
    assert where() == ["finished"]
    device.report(deployment, "failure")
    assert where() == ["finished"]
    assert world.numbers(deployment) == {"failure": 1}


def test_a_row_gets_times_and_substates_as_the_device_reports(world: World, device: Device) -> None:
    deployment = world.deploy("two", [device.id])
    (silent,) = world.api.get(f"{DEPLOYMENTS}/{deployment}/devices").json()
    assert (silent["id"], silent["status"]) == (device.id, "pending")
    assert world.rows(deployment) == {}

    serves(device.poll(), deployment)
    asked = world.rows(deployment)[device.id]
    assert asked["created"] == world.show(deployment)["created"]
    assert not {"started", "finished", "deleted", "substate"} & set(asked)
    size = asked["image"]["size"]
    assert world.show(deployment)["statistics"]["total_size"] == size

    device.report(deployment, "installing", substate="one")
    device.report(deployment, "rebooting")
    started = world.rows(deployment)[device.id]
    assert started["substate"] == "one"  # until another log replaces it
    device.report(deployment, "rebooting", substate="two")
    assert world.rows(deployment)[device.id] == started | {"substate": "two"}

    device.report(deployment, "success")
    done = world.rows(deployment)[device.id]
    assert done["started"] == started["started"]
    assert TIME.fullmatch(done["finished"])
    shown = world.show(deployment)
    assert TIME.fullmatch(shown["created"])
    assert TIME.fullmatch(shown["finished"])
    assert shown["statistics"]["total_size"] == size


def test_a_history_continues_after_its_deletion(world: World, device: Device) -> None:
    other = world.device()
    deployment = world.deploy("two", [device.id, other.id])
    place = f"{DEPLOYMENTS}/devices/{device.id}"
    serves(device.poll(), deployment)
    device.report(deployment, "failure")

    assert world.api.delete(f"{place}/history").status_code == 204
    assert world.api.delete(f"{place}/history").status_code == 204
    (kept,) = world.api.get(place).json()
    assert (kept["device"]["status"], "deleted" in kept["device"]) == ("failure", True)

    serves(device.poll(), deployment)
    (again,) = world.api.get(place).json()
    assert (again["device"]["status"], "deleted" in again["device"]) == ("pending", False)
    assert world.show(deployment)["device_count"] == 1
    assert world.numbers(deployment) == {"pending": 2}


def test_deleting_the_history_keeps_the_active_row(world: World, device: Device) -> None:
    deployment = world.deploy("two", [device.id])
    serves(device.poll(), deployment)

    assert world.api.delete(f"{DEPLOYMENTS}/devices/{device.id}/history").status_code == 204

    assert "deleted" not in world.rows(deployment)[device.id]
    serves(device.poll(), deployment)


@pytest.mark.parametrize("strangers", [0, 10], ids=["on-heads", "in-control"])
def test_withdrawing_a_device_does_not_affect_others(world: World, device: Device, strangers: int) -> None:
    other = world.device()
    ids = [device.id, other.id, *(str(uuid.uuid4()) for _ in range(strangers))]
    first = world.deploy("two", ids)
    second = world.deploy("two", ids, name="second")
    serves(device.poll(), first)
    device.report(first, "installing")

    for _ in range(2):  # it may be repeated
        assert world.api.delete(f"{DEPLOYMENTS}/devices/{device.id}").status_code == 204

    for deployment in (first, second):
        assert world.numbers(deployment) == {"aborted": 1, "pending": 1 + strangers}
        assert list(world.rows(deployment)) == [device.id]
        answer = device.report(deployment, "success")
        assert (answer.status_code, answer.json()["error"]) == (409, "Deployment aborted")
    serves_nothing(device.poll())
    for deployment in (first, second):
        serves(other.poll(), deployment)
        assert other.report(deployment, "success").status_code == 204
        assert world.show(deployment)["status"] == ("inprogress" if strangers else "finished")
    third = world.deploy("two", ids, name="third")
    serves(device.poll(), third)


def test_withdrawing_an_unknown_device(world: World) -> None:
    place = f"{DEPLOYMENTS}/devices/{uuid.uuid4()}"

    assert world.api.get(place).json() == []
    assert world.api.delete(place).status_code == 204
    assert world.api.delete(f"{place}/history").status_code == 204


def test_a_decommissioned_device_does_not_keep_a_deployment_open(world: World, device: Device, server) -> None:
    other = world.device()
    deployment = world.deploy("two", [device.id, other.id])
    serves(device.poll(), deployment)
    serves(other.poll(), deployment)
    other.report(deployment, "success")

    assert world.api.delete(f"/api/management/v2/devauth/devices/{device.id}").status_code == 204
    server.drain()

    assert world.numbers(deployment) == {"success": 1, "decommissioned": 1}
    assert world.show(deployment)["status"] == "finished"
    assert device.report(deployment, "success").status_code == 401


@pytest.mark.parametrize(
    "text", ["1_0", " 1", "\u0663", "1.0", "1e3", "0x1", "NaN", "9" * 5000], ids=lambda text: ascii(text[:9])
)
def test_time_limits_that_are_not_integers_are_refused(world: World, text: str):
    for version in ("v1", "v2"):
        place = f"/api/management/{version}/deployments/deployments"
        for name in ("created_before", "created_after"):
            answer = world.api.get(place, params={name: text})
            assert answer.status_code == 400, answer.text
            assert name in answer.json()["error"]
            for bound in ("-62135596800", "253402300799", "+1", "-0"):
                assert world.api.get(place, params={name: bound}).status_code == 200

"""Phased rollouts: valid phases, which device is served when, and what is shown."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import limits
from chalicelib.deployments.service import managing as service
from tests.deployments.test_races import concurrently
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.support.probe import counted

if TYPE_CHECKING:
    from tests.simulator.device import Device
    from tests.support.time import Clock

EMPTY = "Attempt to create a batch with zero devices not allowed"


def create(world: World, **body: Any) -> tuple[int, str]:
    """Status and error of a request that creates a deployment for all four devices."""
    answer = world.api.post(DEPLOYMENTS, json={"name": "rollout", "artifact_name": "two", "all_devices": True} | body)
    return answer.status_code, answer.json()["error"] if answer.content else ""


@pytest.fixture
def fleet(world: World, moment: Clock) -> list[Device]:
    """Four devices that can install release two."""
    world.upload("two")
    return [world.device() for _ in range(4)]


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ([{"batch_size": 10}, {"start_ts": "2099-01-01T00:00:00Z"}], f"{EMPTY}. Batch: (1) will be empty"),
        (
            [
                {"batch_size": 50},
                {"batch_size": 50, "start_ts": "2099-01-01T00:00:00Z"},
                {"start_ts": "2099-01-02T00:00:00Z"},
            ],
            "Batch: (3) will be empty",
        ),
        ([{"batch_size_devices": 4}, {"start_ts": "2099-01-01T00:00:00Z"}], "Batch: (2) will be empty"),
        ([{"batch_size": 50}, {}], "has no start_ts"),
        ([{}, {"start_ts": "2099-01-01T00:00:00Z"}], "phase 1 has no batch_size"),
        ([{"batch_size": 60}, {"batch_size": 60, "start_ts": "2099-01-01T00:00:00Z"}], "120 %"),
        (
            [{"batch_size": 50}, {"batch_size_devices": 2, "start_ts": "2099-01-01T00:00:00Z"}],
            "either batch_size or batch_size_devices",
        ),
        ([{"batch_size": 50}, {"start_ts": "2001-01-01T00:00:00Z"}], "phase 2 must start after phase 1"),
        ([{"batch_size": 50, "start_ts": "2099-01-01"}], "RFC3339"),
        ([{"batch_size": 50, "start_ts": "2099-01-01T00:00:00"}], "timezone"),
        ([{"batch_size": 0}], ">= 1"),
        ([{"batch_size": 101}], "<= 100"),
        ([{"batch_size": "5"}], "int"),
        ([{"start_ts": "0001-01-01T00:00:00+12:00"}], "out of range"),
        ("now", "array"),
        ([{"batch_size": 1}] * 101, "too many phases"),
    ],
)
def test_invalid_phases_are_refused(world: World, fleet: list[Device], wanted: Any, text: str) -> None:
    status, error = create(world, phases=wanted)

    assert status == 400
    assert text in error


def test_the_latest_possible_start_is_accepted(world: World, fleet: list[Device]) -> None:
    status, error = create(world, phases=[{"start_ts": "9999-12-31T23:59:59-12:00"}])

    assert status == 201, error


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"time_interval": "PT1H"},
        {"batch_size": 50},
        {"batch_size": 50, "batch_size_devices": 2, "time_interval": "PT1H"},
        {"batch_size": 50, "time_interval": "PT0S"},
        {"batch_size": 50, "time_interval": "-PT1H"},
        {"batch_size": 50, "time_interval": "an hour"},
        {"batch_size": 50, "time_interval": "P999999D", "start_ts": "9990-01-01T00:00:00Z"},
        {"batch_size": 10, "time_interval": "PT1H"},
    ],
)
def test_invalid_uniform_phases_are_refused(world: World, fleet: list[Device], wanted: dict[str, Any]) -> None:
    assert create(world, uniform_phases=wanted)[0] == 400
    assert create(world, uniform_phases={"batch_size": 50, "time_interval": "PT1H"}, phases=[{}])[0] == 400


def test_before_its_start_a_deployment_is_scheduled_and_not_served(
    world: World, fleet: list[Device], moment: Clock
) -> None:
    start = moment.later(hours=1)
    deployment = world.deploy("two", [fleet[0].id], phases=[{"start_ts": start}])

    serves_nothing(fleet[0].poll())

    shown = world.show(deployment)
    assert shown["status"] == "scheduled"
    assert shown["device_count"] == 0
    (phase,) = shown["phases"]
    uuid.UUID(phase["id"])
    assert phase == {"id": phase["id"], "start_ts": start, "batch_size": 100, "device_count": 0}
    assert ids(world, "scheduled") == [deployment]
    assert ids(world, "pending") == ids(world, "inprogress") == ids(world, "finished") == []

    moment.move(hours=1)

    assert world.show(deployment)["status"] == "pending"
    assert (ids(world, "scheduled"), ids(world, "pending")) == ([], [deployment])
    serves(fleet[0].poll(), deployment)
    assert fleet[0].report(deployment, "success").status_code == 204
    assert world.show(deployment)["phases"][0]["device_count"] == 1
    assert ids(world, "finished") == [deployment]


def ids(world: World, status: str) -> list[str]:
    answer = world.api.get(DEPLOYMENTS, params={"status": status})
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Total-Count"] == str(len(answer.json()))
    return [each["id"] for each in answer.json()]


def test_one_phase_without_members_serves_all_devices_at_once(world: World, fleet: list[Device], moment: Clock) -> None:
    deployment = world.deploy("two", phases=[{}])

    for device in fleet:
        serves(device.poll(), deployment)
    (phase,) = world.show(deployment)["phases"]
    assert (phase["batch_size"], phase["device_count"], phase["start_ts"]) == (100, 4, moment.later())


def test_each_phase_serves_as_many_devices_as_its_size(world: World, fleet: list[Device], moment: Clock) -> None:
    wanted = [
        {"batch_size": 25},
        {"batch_size": 50, "start_ts": moment.later(hours=1)},
        {"start_ts": moment.later(hours=2)},
    ]
    deployment = world.deploy("two", phases=wanted)

    serves(fleet[0].poll(), deployment)
    for device in fleet[1:]:
        serves_nothing(device.poll())
    assert set(world.rows(deployment)) == {fleet[0].id}
    # Devices that were served continue, whatever phase is open.
    serves(fleet[0].poll(), deployment)

    moment.move(hours=1)
    serves(fleet[1].poll(), deployment)
    serves(fleet[2].poll(), deployment)
    serves_nothing(fleet[3].poll())

    moment.move(hours=1)
    serves(fleet[3].poll(), deployment)
    shown = world.show(deployment)
    assert [(each["batch_size"], each["device_count"]) for each in shown["phases"]] == [(25, 1), (50, 2), (25, 1)]
    rows = world.rows(deployment)
    of_phase = {each["id"]: index for index, each in enumerate(shown["phases"])}
    assert [of_phase[rows[device.id]["phase_id"]] for device in fleet] == [0, 1, 1, 2]
    for device in fleet:
        device.report(deployment, "success")
    assert world.show(deployment)["status"] == "finished"


def test_unused_capacity_is_left_to_later_phases(world: World, fleet: list[Device], moment: Clock) -> None:
    deployment = world.deploy(
        "two",
        phases=[
            {"batch_size": 50},
            {"batch_size": 25, "start_ts": moment.later(hours=1)},
            {"start_ts": moment.later(hours=2)},
        ],
    )
    serves(fleet[0].poll(), deployment)

    moment.move(hours=1)

    for device in fleet[1:3]:
        serves(device.poll(), deployment)
    serves_nothing(fleet[3].poll())
    assert [each["device_count"] for each in world.show(deployment)["phases"]] == [1, 2, 0]


def test_absolute_and_uniform_sizes(world: World, fleet: list[Device], moment: Clock) -> None:
    first = world.deploy(
        "two",
        name="absolute",
        phases=[{"batch_size_devices": 3, "start_ts": moment.later(days=9)}, {"start_ts": moment.later(days=10)}],
    )
    second = world.deploy(
        "two",
        name="uniform",
        uniform_phases={"batch_size_devices": 2, "time_interval": "P1DT1H", "start_ts": moment.later(days=1)},
    )
    third = world.deploy("two", name="shares", uniform_phases={"batch_size": 30, "time_interval": "PT30M"})

    sizes = {
        each: [
            (phase.get("batch_size"), phase.get("batch_size_devices"), phase["start_ts"])
            for phase in world.show(each)["phases"]
        ]
        for each in (first, second, third)
    }
    assert sizes[first] == [(None, 3, moment.later(days=9)), (None, 1, moment.later(days=10))]
    assert sizes[second] == [(None, 2, moment.later(days=1)), (None, 2, moment.later(days=2, hours=1))]
    assert sizes[third] == [
        (share, None, moment.later(minutes=30 * index)) for index, share in enumerate([30, 30, 30, 10])
    ]


def test_a_device_without_a_fitting_artifact_counts_towards_a_phase(
    world: World, fleet: list[Device], moment: Clock
) -> None:
    other = world.device(device_type="other-board")
    deployment = world.deploy("two", phases=[{"batch_size": 20}, {"start_ts": moment.later(hours=1)}])

    serves_nothing(other.poll())
    serves_nothing(fleet[0].poll())

    assert world.rows(deployment)[other.id]["status"] == "noartifact"
    assert [each["device_count"] for each in world.show(deployment)["phases"]] == [1, 0]
    moment.move(hours=1)
    serves(fleet[0].poll(), deployment)


def test_deployments_to_groups_can_have_phases(world: World, fleet: list[Device], moment: Clock) -> None:
    for device in fleet[:2]:
        place = f"/api/management/v1/inventory/devices/{device.id}/group"
        assert world.api.put(place, json={"group": "lab"}).status_code == 204
    deployment = world.deploy("two", group="lab", phases=[{"batch_size": 50}, {"start_ts": moment.later(hours=1)}])

    serves(fleet[0].poll(), deployment)
    serves_nothing(fleet[1].poll())


def test_a_newer_deployment_waits_for_an_older_ones_phase(world: World, fleet: list[Device], moment: Clock) -> None:
    """Otherwise the device would never get the older one, since it gets none older than the last that it finished."""
    older = world.deploy("two", [fleet[0].id], name="older", phases=[{"start_ts": moment.later(hours=1)}])
    newer = world.deploy("two", [fleet[0].id], name="newer")
    serves_nothing(fleet[0].poll())

    moment.move(hours=1)

    for each in (older, newer):
        serves(fleet[0].poll(), each)
        fleet[0].report(each, "success")
        assert world.show(each)["status"] == "finished"


def test_aborting_before_the_start(world: World, fleet: list[Device], moment: Clock) -> None:
    deployment = world.deploy("two", phases=[{"start_ts": moment.later(hours=1)}])

    world.abort(deployment)
    moment.move(hours=2)

    serves_nothing(fleet[0].poll())
    shown = world.show(deployment)
    assert (shown["status"], world.numbers(deployment)) == ("finished", {})
    tick(moment)
    assert world.show(deployment) == shown


def test_a_withdrawn_device_does_not_count_towards_a_phase(world: World, fleet: list[Device], moment: Clock) -> None:
    deployment = world.deploy("two", phases=[{"batch_size": 25}, {"start_ts": moment.later(hours=1)}])
    assert world.api.delete(f"{DEPLOYMENTS}/devices/{fleet[0].id}").status_code == 204

    serves(fleet[1].poll(), deployment)

    assert world.numbers(deployment) == {"aborted": 1, "pending": 3}
    assert [each["device_count"] for each in world.show(deployment)["phases"]] == [1, 0]
    assert "phase_id" not in world.rows(deployment)[fleet[0].id]


def test_a_device_with_a_deleted_history_is_not_counted_twice(world: World, fleet: list[Device], moment: Clock) -> None:
    deployment = world.deploy("two", phases=[{"batch_size": 50}, {"start_ts": moment.later(hours=1)}])
    serves(fleet[0].poll(), deployment)
    fleet[0].report(deployment, "success")
    assert world.api.delete(f"{DEPLOYMENTS}/devices/{fleet[0].id}/history").status_code == 204

    serves(fleet[0].poll(), deployment)
    serves(fleet[1].poll(), deployment)
    serves_nothing(fleet[2].poll())

    assert [each["device_count"] for each in world.show(deployment)["phases"]] == [2, 0]


@pytest.mark.parametrize("counters", [limits.COUNTER_SHARD_DEVICES, 1], ids=["one-counter", "a-counter-each"])
def test_phase_sizes_are_exact_with_concurrent_polls(
    world: World, moment: Clock, counters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "COUNTER_SHARD_DEVICES", counters)
    world.upload("two")
    fleet = [world.device() for _ in range(12)]
    deployment = world.deploy(
        "two",
        phases=[
            {"batch_size_devices": 5},
            {"batch_size_devices": 4, "start_ts": moment.later(hours=1)},
            {"start_ts": moment.later(hours=2)},
        ],
    )
    served = []
    for _ in range(3):
        answers = concurrently([partial(device.poll) for device in fleet])
        served.append(sum(answer.status_code == 200 for answer in answers))
        moment.move(hours=1)

    assert served == [5, 9, 12]
    assert [each["device_count"] for each in world.show(deployment)["phases"]] == [5, 4, 3]
    assert len(world.rows(deployment)) == 12


def test_the_cost_of_polls_with_phases(world: World, fleet: list[Device], moment: Clock, warm: None) -> None:
    deployment = world.deploy(
        "two", phases=[{"batch_size": 25, "start_ts": moment.later(hours=1)}, {"start_ts": moment.later(hours=2)}]
    )
    idle = {"GetItem": 1}
    serves_nothing(fleet[0].poll())
    with counted() as early:
        serves_nothing(fleet[0].poll())
    assert early.by_operation == idle

    moment.move(hours=1)
    with counted() as assigned:
        serves(fleet[0].poll(), deployment)
    assert assigned.by_operation == {"GetItem": 1, "TransactWriteItems": 1}
    assert assigned.write_units == 8  # row, head, counter, phase capacity

    serves_nothing(fleet[1].poll())  # this process caches that the phase is full
    with counted() as full:
        for device in fleet[1:]:
            serves_nothing(device.poll())
    assert full.by_operation == {"GetItem": 3}
    assert full.write_units == 0

    moment.move(hours=1)
    with counted() as last:
        serves(fleet[1].poll(), deployment)
    assert last.by_operation == {"GetItem": 1, "TransactWriteItems": 1}
    assert last.write_units == 6  # the last phase has no limit


def tick(moment: Clock) -> None:
    service.tick(moment.time)


def test_phases_may_be_less_than_a_millisecond_apart(world: World) -> None:
    world.upload("two")
    starts = ["2099-01-01T00:00:00.0001Z", "2099-01-01T00:00:00.0002Z", "2099-01-01T00:00:00.001Z"]
    phases = [{"batch_size": 25, "start_ts": start} for start in starts]
    body = {"name": "close", "artifact_name": "two", "devices": ["a", "b", "c", "d"], "phases": phases}

    made = world.api.post(DEPLOYMENTS, json=body)

    assert made.status_code == 201, made.text
    shown = world.show(made.headers["Location"].rsplit("/", 1)[-1])["phases"]
    whole = "2099-01-01T00:00:00Z"
    assert [phase["start_ts"] for phase in shown] == [whole, whole, "2099-01-01T00:00:00.001Z"]
    phases[1]["start_ts"] = starts[0]
    assert world.api.post(DEPLOYMENTS, json=body | {"name": "equal"}).status_code == 400


def test_phases_with_the_same_start_open_together(world: World, moment: Clock) -> None:
    world.upload("two")
    devices = [world.device() for _ in range(2)]
    start = datetime.fromisoformat(moment.later(hours=1))
    phases = [{"batch_size": 50, "start_ts": (start + timedelta(microseconds=each)).isoformat()} for each in (100, 200)]
    deployment = world.deploy("two", [device.id for device in devices], phases=phases)
    serves_nothing(devices[0].poll())
    moment.move(hours=1)

    for device in devices:
        serves(device.poll(), deployment)

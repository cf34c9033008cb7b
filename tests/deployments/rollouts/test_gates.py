"""Gates: the next phase opens when enough devices of the one before have succeeded, or by hand."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.deployments.rules import gates
from chalicelib.deployments.rules.deployment import Plan
from chalicelib.deployments.rules.gates import RESULTS
from chalicelib.deployments.rules.phases import Phase as PlannedPhase
from chalicelib.deployments.rules.statistics import Counts, PhaseResults
from chalicelib.deployments.shapes.rollout import Gate, Rollout
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.support.probe import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulator.device import Device
    from tests.support.time import Clock

NOW: Final = datetime(2026, 12, 1, tzinfo=UTC)
CANARY: dict[str, Any] = {"phases": [{"batch_size_devices": 2}, {"batch_size_devices": 3}, {}]}


def finish(device: Device, deployment: str, status: str = "success") -> None:
    serves(device.poll(), deployment)
    assert device.report(deployment, status).status_code == 204


def steer(world: World, deployment: str, action: str, **more: Any) -> httpx2.Response:
    return world.api.post(f"{DEPLOYMENTS}/{deployment}/rollout", json={"action": action, **more})


def state(world: World, deployment: str) -> dict[str, Any]:
    rollout: dict[str, Any] = world.show(deployment)["rollout"]
    return rollout


def test_a_phase_opens_after_success_in_the_one_before(
    world: World, fleet: list[Device], tick: Callable[..., None]
) -> None:
    deployment = world.deploy("two", rollout={"gate": {"success_percent": 100}}, **CANARY)
    assert state(world, deployment)["waits"]["reason"] == "phase 2 opens after success in phase 1: 1 needed, now 0"
    finish(fleet[0], deployment)
    serves(fleet[1].poll(), deployment)
    serves_nothing(fleet[2].poll())
    tick(minutes=1)
    serves_nothing(fleet[2].poll())
    waits = state(world, deployment)["waits"]
    assert waits["reason"] == "phase 2 opens when 2 of 2 devices of phase 1 have succeeded; now 1"
    assert (waits["began"], waits["needed"], waits["succeeded"], waits["failed"]) == (2, 2, 1, 0)

    fleet[1].report(deployment, "success")
    tick(minutes=1)

    for device in fleet[2:5]:
        finish(device, deployment)
    serves_nothing(fleet[5].poll())
    assert state(world, deployment)["opened"] == 2
    tick(minutes=1)
    for device in fleet[5:]:
        finish(device, deployment)
    shown = world.show(deployment)
    assert shown["status"] == "finished"
    assert shown["rollout"]["state"] == "ended"
    assert [phase["device_count"] for phase in shown["phases"]] == [2, 3, 5]


def test_a_gate_waits_for_the_time_too(
    world: World, fleet: list[Device], tick: Callable[..., None], moment: Clock
) -> None:
    planned = [{"batch_size_devices": 2}, {"start_ts": moment.later(hours=1)}]
    deployment = world.deploy("two", rollout={"gate": {}}, phases=planned)
    finish(fleet[0], deployment)
    finish(fleet[1], deployment)
    tick(minutes=30)
    serves_nothing(fleet[2].poll())
    assert "not before" in state(world, deployment)["waits"]["reason"]
    tick(minutes=30)
    serves(fleet[2].poll(), deployment)


def test_the_share_must_hold_while_it_is_watched(world: World, fleet: list[Device], tick: Callable[..., None]) -> None:
    gate = {"success_percent": 60, "soak": "PT1H"}
    deployment = world.deploy("two", rollout={"gate": gate}, **CANARY)
    finish(fleet[0], deployment)
    finish(fleet[1], deployment)
    tick(minutes=1)
    assert state(world, deployment)["waits"]["reached"]
    tick(minutes=30)
    serves_nothing(fleet[2].poll())
    # A device that fails later corrects its report.
    assert fleet[1].report(deployment, "failure").status_code == 204
    tick(minutes=15)
    tick(minutes=30)
    serves_nothing(fleet[2].poll())
    waits = state(world, deployment)["waits"]
    assert "reached" not in waits
    assert (waits["succeeded"], waits["failed"]) == (1, 1)
    fleet[1].report(deployment, "success")
    tick(minutes=15)
    tick(minutes=59)
    serves_nothing(fleet[2].poll())
    tick(minutes=1)
    serves(fleet[2].poll(), deployment)


def test_devices_that_did_not_try_do_not_count(world: World, fleet: list[Device], tick: Callable[..., None]) -> None:
    deployment = world.deploy("two", rollout={"gate": {"success_percent": 100}}, **CANARY)
    serves_nothing(fleet[0].poll(device_type="another"))
    finish(fleet[1], deployment)
    tick(minutes=1)
    serves(fleet[2].poll(), deployment)


def test_a_minimum_of_devices(world: World, fleet: list[Device], tick: Callable[..., None]) -> None:
    gate = {"success_percent": 50, "minimum_devices": 2}
    deployment = world.deploy("two", rollout={"gate": gate}, **CANARY)
    finish(fleet[0], deployment)
    tick(minutes=1)
    assert state(world, deployment)["opened"] == 1
    finish(fleet[1], deployment)
    tick(minutes=1)
    assert state(world, deployment)["opened"] == 2


def test_a_phase_that_cannot_open_says_so(world: World, fleet: list[Device], tick: Callable[..., None]) -> None:
    two_each = [{"batch_size_devices": 2}, {"batch_size_devices": 2}, {}]
    deployment = world.deploy("two", rollout={"gate": {"success_percent": 50}}, phases=two_each)
    serves_nothing(fleet[0].poll(device_type="another"))
    assert state(world, deployment)["waits"]["reason"] == "phase 2 opens after success in phase 1: 1 needed, now 0"
    finish(fleet[1], deployment, "failure")
    tick(minutes=1)
    reason = (
        "phase 2 does not open by itself: 1 device of phase 1 must succeed, but only 0 can "
        "(1 failed, 1 did not try the update); open it by hand, or abort the deployment"
    )
    assert state(world, deployment)["waits"]["reason"] == reason
    [explained] = world.api.get(f"{DEPLOYMENTS}/devices/{fleet[2].id}/explain").json()
    assert explained["reason"].endswith(reason)
    fleet[1].report(deployment, "success")
    tick(minutes=1)
    serves(fleet[2].poll(), deployment)
    # Nor does one whose devices have all been taken out of the deployment.
    for device in fleet[2:4]:
        device.poll()
        assert world.api.delete(f"{DEPLOYMENTS}/devices/{device.id}").status_code == 204
    assert "(2 did not try the update)" in state(world, deployment)["waits"]["reason"]


@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=2),
    gate=st.builds(Gate, success_percent=st.integers(1, 100), minimum_devices=st.integers(1, 7)),
    ended=st.lists(st.sampled_from(RESULTS), max_size=6),
    active=st.integers(0, 6),
)
def test_a_gate_is_lost_when_no_further_success_can_open_it(
    sizes: list[int], gate: Gate, ended: list[str], active: int
) -> None:
    size = sizes[0]
    began = min(size, len(ended) + active)
    number = Counter(ended[:size])
    plan = Plan(
        id="id",
        name="rollout",
        artifact_name="two",
        created=NOW,
        size=sum(sizes),
        phases=(PlannedPhase(NOW, devices=size, upto=size), PlannedPhase(NOW)),
        rollout=Rollout(gate=gate),
        filter={},
        lock="",
    )

    def counts(more: int, successes: int) -> Counts:
        """The counters after ``more`` devices have begun, and ``successes`` have succeeded since."""
        results = PhaseResults(number["succeeded"] + successes, number["failed"], number["left"])
        return Counts(rows=began + more, by_status={}, total_size=0, phases=(began + more,), results=(results,))

    unfinished = began - number.total()
    opens = any(gates.numbers(gate, counts(more, unfinished + more), 0).is_enough for more in range(size - began + 1))
    assert gates.best_case(plan, gate, counts(0, 0), 0).is_enough == opens


@pytest.mark.parametrize("rollout", [None, {"gate": {}}])
def test_a_pause_delays_no_phase_beyond_the_end_of_time(
    world: World, fleet: list[Device], tick: Callable[..., None], rollout: dict[str, Any] | None
) -> None:
    planned = [{"batch_size_devices": 2}, {"start_ts": "9999-12-31T23:59:59Z"}]
    deployment = world.deploy("two", phases=planned, rollout=rollout)
    for _ in range(2):
        assert steer(world, deployment, "pause").status_code == 204
        tick(hours=1)
        assert steer(world, deployment, "resume").status_code == 204
        tick(minutes=15)
        assert state(world, deployment)["state"] == "running"
        assert world.show(deployment)["phases"][1]["start_ts"] == "9999-12-31T23:59:59.999Z"
    finish(fleet[0], deployment)
    assert steer(world, deployment, "open_phase", phase=2).status_code == 204


def test_an_operator_opens_a_phase(world: World, fleet: list[Device], moment: Clock) -> None:
    deployment = world.deploy("two", rollout={"gate": {}}, **CANARY)
    for device in fleet[:2]:
        serves(device.poll(), deployment)
    serves_nothing(fleet[2].poll())
    following, open_ = "the next one of this deployment is 2", "all of which are open"
    for phase, refused in ((3, following), (2, ""), (2, ""), (1, ""), (3, ""), (4, open_)):
        answer = steer(world, deployment, "open_phase", phase=phase)
        assert answer.status_code == (409 if refused else 204), answer.text
        assert refused in answer.text
    serves(fleet[2].poll(), deployment)
    assert state(world, deployment)["opened"] == 3
    plain = world.deploy("two", name="without phases")
    assert "no phases" in steer(world, plain, "open_phase", phase=1).text


def test_an_operator_opens_a_phase_before_its_time(world: World, fleet: list[Device], moment: Clock) -> None:
    planned = [{"batch_size_devices": 2}, {"start_ts": moment.later(hours=1)}]
    deployment = world.deploy("two", phases=planned)
    for device in fleet[:2]:
        serves(device.poll(), deployment)
    serves_nothing(fleet[2].poll())
    assert steer(world, deployment, "open_phase").status_code == 400
    assert steer(world, deployment, "open_phase", phase=2).status_code == 204
    serves(fleet[2].poll(), deployment)


def test_a_poll_at_a_gate_is_one_read(world: World, fleet: list[Device], warm: None) -> None:
    deployment = world.deploy("two", rollout={"gate": {}, "stop": {"max_failures": 3}}, **CANARY)
    for device in fleet[:2]:
        serves(device.poll(), deployment)
    serves_nothing(fleet[2].poll())
    with counted() as cost:
        serves_nothing(fleet[2].poll())
    assert cost.calls == ["GetItem"]


def test_reports_write_as_many_items_as_without_a_rollout(
    world: World, fleet: list[Device], warm: None, moment: Clock
) -> None:
    costs: list[Any] = []
    rollout: dict[str, Any] = {"gate": {}, "stop": {"max_failures": 9, "per": "phase"}}
    planned = [{"batch_size_devices": 2}, {"start_ts": moment.later(hours=1)}]
    for wanted in (None, rollout):
        deployment = world.deploy("two", name=str(wanted), force_installation=True, phases=planned, rollout=wanted)
        serves(fleet[0].poll(), deployment)
        for status in ("downloading", "installing", "success"):
            with counted() as cost:
                assert fleet[0].report(deployment, status).status_code == 204
            costs.append((status, cost.calls, cost.write_units))
        world.abort(deployment)
    assert costs[:3] == costs[3:]


def test_a_gate_that_no_phase_can_satisfy_is_refused(world: World, fleet: list[Device]) -> None:
    body = {"name": "rollout", "artifact_name": "two", "all_devices": True, **CANARY}
    answer = world.api.post(DEPLOYMENTS, json={**body, "rollout": {"gate": {"minimum_devices": 3}}})
    assert answer.status_code == 400
    assert "minimum_devices is 3, but phase 1 has 2 devices, so phase 2 would never open" in answer.json()["error"]


@pytest.mark.parametrize(
    ("rollout", "text"),
    [
        ({"gate": {}}, "at least two phases"),
        ({"gate": {"success_percent": 101}}, "<= 100"),
        ({"gate": {"succes_percent": 50}}, "succes_percent"),
        ({"gates": {}}, "gates"),
        ({"stop": {}}, "max_failures"),
        ({"stop": {"max_failures": 0}}, ">= 1"),
        ({"stop": {"max_failures": 1, "action": "explode"}}, "explode"),
        ({"stop": {"max_failures": 1, "per": "phase"}}, "no phases"),
        ({"windows": [{"start_time": "25:00", "duration": "PT1H"}]}, "start_time"),
        ({"windows": [{"start_time": "02:00", "duration": "P8D"}]}, "P7D"),
        ({"windows": [{"start_time": "02:00", "duration": "PT1H", "days": ["someday"]}]}, "someday"),
        ({"windows": [{"start_time": "02:00", "duration": "PT1H"}], "jitter": "PT2H"}, "jitter"),
        ({"windows": [{"start_time": "02:00", "duration": "PT1H"}], "time_zone": "Europe/Atlantis"}, "Atlantis"),
        ({"windows": [{"start_time": "02:00", "duration": "PT1H"}], "time_zone": "../etc/passwd"}, "time zone"),
        ({"windows": [{"start_time": "02:00", "duration": "PT1H"}], "time_zone": "localtime"}, "time zone"),
        ({"time_zone": "Europe/Oslo"}, "need windows"),
        ({"retry_after": True}, "needs windows"),
        ({"jitter": "P2D"}, "P1D"),
        ({"jitter": "-PT1H"}, "PT0S"),
        ({"maximum_per_minute": 0}, ">= 1"),
        (5, "object"),
    ],
)
def test_invalid_rollouts_are_refused(world: World, fleet: list[Device], rollout: Any, text: str) -> None:
    body = {"name": "rollout", "artifact_name": "two", "all_devices": True, "rollout": rollout}
    answer = world.api.post(DEPLOYMENTS, json=body)

    assert answer.status_code == 400, answer.text
    assert text in answer.json()["error"]


def test_phases_need_no_time_if_there_is_a_gate(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two", rollout={"gate": {"soak": "PT1H"}}, **CANARY)
    shown = world.show(deployment)
    assert len({phase["start_ts"] for phase in shown["phases"]}) == 1
    assert shown["rollout"]["settings"] == {"gate": {"soak": "PT3600S"}}

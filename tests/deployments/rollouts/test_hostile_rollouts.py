"""Unusual rollouts: each is refused with a text, or works to its end. No call of its life is an internal error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.deployments.service import managing
from tests.deployments.rollouts.test_gates import steer
from tests.deployments.world import DEPLOYMENTS, World

if TYPE_CHECKING:
    import httpx2

    from tests.simulator.device import Device
    from tests.support.time import Clock

JSON = {"Content-Type": "application/json"}
WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, 1.5, 2**64, 10**400, 1e308, float("nan"), "", "x", "\ud800", "\0", [], [None], {}, {"a": 1}]
)
DURATIONS = st.sampled_from(
    ["PT0S", "PT0.0000001S", "PT1M", "PT1H", "P1D", "P7D", "P7DT1S", "P30D", "P999999999D", "-PT1H", "P1W", "P"]
)
ZONES = ["UTC", "Europe/Oslo", "Pacific/Apia", "Africa/Casablanca", "localtime", "../etc/passwd", "Europe", "\0"]
STARTS = ["0001-01-01T00:00:00Z", "2020-02-29T00:00:00+14:00", "2100-02-28T00:00:00Z", "9999-12-31T23:59:59.999-14:00"]


def members(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these members, of which few have a value of another kind."""
    right = st.fixed_dictionaries({}, optional=known)
    names = st.sampled_from([*known, "unknown"])
    return right | right | st.builds(lambda given, name, value: {**given, name: value}, right, names, WRONG)


counts = st.sampled_from([1, 2, 3, 10**9])
shares = st.integers(1, 100)
windows = members(
    start_time=st.sampled_from(["00:00", "02:30", "23:59"]),
    duration=DURATIONS,
    days=st.lists(st.sampled_from(["mon", "sat", "sun"]), max_size=3),
)
rollouts = members(
    gate=members(success_percent=shares, minimum_devices=counts, soak=DURATIONS),
    stop=members(
        max_failures=counts,
        max_failures_percent=shares,
        minimum_reports=counts,
        per=st.sampled_from(["deployment", "phase"]),
        action=st.sampled_from(["pause", "abort"]),
    ),
    windows=st.lists(windows, max_size=3),
    time_zone=st.sampled_from(ZONES),
    device_time_zone=st.just("zone"),
    maximum_per_minute=st.integers(1, 3),
    jitter=DURATIONS,
    when_paused=st.sampled_from(["hold", "skip"]),
    retry_after=st.booleans(),
)
phases = st.lists(
    members(batch_size=shares, batch_size_devices=counts, start_ts=st.sampled_from(STARTS)), min_size=1, max_size=3
)
bodies = st.fixed_dictionaries({"rollout": rollouts}, optional={"phases": phases, "retries": st.integers(0, 1)})
planned = st.sampled_from(STARTS[1:]).map(lambda start: [{"batch_size_devices": 1}, {"start_ts": start}])
usual: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {
        "rollout": st.fixed_dictionaries({"gate": st.just({})}, optional={"stop": st.just({"max_failures": 1})}),
        "phases": planned | st.just([{"batch_size_devices": 1}, {}]),
    }
)
"""What is valid, which few others are."""


@pytest.fixture
def pair(world: World, moment: Clock) -> list[Device]:
    """Two of three devices that can install release two."""
    world.upload("two")
    return [world.device() for _ in range(3)][:2]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=bodies | usual, status=st.sampled_from(["success", "failure"]), zone=st.sampled_from(ZONES))
def test_any_rollout_is_refused_or_works(
    world: World, pair: list[Device], moment: Clock, body: dict[str, Any], status: str, zone: str
) -> None:
    def answered(answer: httpx2.Response) -> httpx2.Response:
        assert answer.status_code < 500, answer.text
        assert answer.is_success or answer.json()["error"]
        return answer

    wanted = json.dumps({"name": "rollout", "artifact_name": "two", "all_devices": True, **body})
    previewed = answered(world.api.post(f"{DEPLOYMENTS}?dry_run=true", content=wanted, headers=JSON))
    created = answered(world.api.post(DEPLOYMENTS, content=wanted, headers=JSON))
    assert (previewed.status_code, created.status_code) in {(200, 201), (400, 400)}
    if not created.is_success:
        return
    deployment = created.headers["Location"].rsplit("/", 1)[-1]
    place = f"{DEPLOYMENTS}/{deployment}"
    pair[0].inventory({"zone": zone})
    for action in ("pause", "resume", "open_phase"):
        answered(steer(world, deployment, action, **({"phase": 2} if action == "open_phase" else {})))
        moment.move(hours=13)
        managing.tick(moment.time)
        for device in pair:
            if device.poll().status_code == 200:
                assert device.report(deployment, status).status_code in {204, 409}
    explained = f"{DEPLOYMENTS}/devices/{pair[0].id}/explain"
    for url in (place, explained, f"{place}/report", f"{place}/devices/export"):
        assert answered(world.api.get(url)).status_code == 200
    answered(world.api.post(f"{place}/retry?dry_run=true", json={"phases": body.get("phases")}))
    if answered(world.api.get(place)).json()["status"] != "finished":
        world.abort(deployment)

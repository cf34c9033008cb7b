"""The decision of a poll, case by case."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.deployments.rules import decision, phases
from chalicelib.deployments.rules.decision import Outcome, Resumption
from chalicelib.deployments.rules.deployment import CONFIGURATION, Plan
from chalicelib.deployments.rules.phases import Phase
from chalicelib.deployments.rules.polling import Current, Waiting
from chalicelib.deployments.rules.rollout import RUNNING, State
from chalicelib.deployments.rules.statuses import Status

NOW = datetime(2030, 1, 1, tzinfo=UTC)
PAST, FUTURE = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


def plan(deployment: str = "a", **more: Any) -> Plan:
    given: dict[str, Any] = {"name": "rollout", "artifact_name": "two", "created": PAST, "size": 10, "filter": {}}
    return Plan(id=deployment, lock=deployment, **given | more)


@dataclass
class Known:
    """The facts of a decision."""

    plans: dict[str, Plan] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    """Deployments that are not for the device."""
    begun: dict[str, int] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    zones: dict[str, str] = field(default_factory=dict)
    """The device's attributes that name a time zone."""
    busy: set[str] = field(default_factory=set)
    """Deployments in which as many devices have begun in this minute as may begin."""
    device_id: str = "device"
    read: list[str] = field(default_factory=list)
    """The deployments that were read."""

    def plan(self, waiting: Waiting) -> Plan | None:
        self.read.append(waiting.deployment)
        return self.plans.get(waiting.deployment)

    def may_configure(self, waiting: Waiting) -> bool:
        return waiting.on_head

    def is_target(self, plan: Plan) -> bool:
        return plan.id not in self.foreign

    def is_full(self, plan: Plan, upto: int | None) -> bool:
        return upto is not None and self.begun.get(plan.id, 0) >= upto

    def has_limit_reached(self, plan: Plan) -> bool:
        return self.is_full(plan, plan.most)

    def state(self, plan: Plan) -> State:
        return self.states.get(plan.id, RUNNING)

    def zone(self, attribute: str) -> str | None:
        return self.zones.get(attribute)

    def is_rate_reached(self, plan: Plan) -> bool:
        return plan.id in self.busy


OPEN, CLOSED = Phase(PAST, upto=3), Phase(FUTURE)
LIMITED: dict[str, Any] = {"dynamic": True, "size": 3}


@pytest.mark.parametrize(
    ("about", "facts", "is_held", "expected"),
    [
        ({}, {}, False, Outcome.ASSIGN),
        ({}, {"foreign": {"a"}}, False, Outcome.NOT_A_TARGET),
        ({}, {}, True, Outcome.BEHIND_ANOTHER),
        ({"kind": CONFIGURATION}, {}, True, Outcome.ASSIGN),
        ({"phases": (CLOSED,)}, {}, False, Outcome.PHASE_NOT_OPEN),
        ({"phases": (CLOSED,)}, {"foreign": {"a"}}, False, Outcome.NOT_A_TARGET),
        ({"phases": (OPEN, CLOSED)}, {"begun": {"a": 2}}, False, Outcome.ASSIGN),
        ({"phases": (OPEN, CLOSED)}, {"begun": {"a": 3}}, False, Outcome.PHASE_FULL),
        ({"phases": (OPEN, Phase(PAST))}, {"begun": {"a": 9}}, False, Outcome.ASSIGN),
        (LIMITED, {"begun": {"a": 2}}, False, Outcome.ASSIGN),
        (LIMITED, {"begun": {"a": 3}}, False, Outcome.LIMIT_REACHED),
        (LIMITED | {"phases": (OPEN, CLOSED)}, {"begun": {"a": 3}}, False, Outcome.LIMIT_REACHED),
        (LIMITED | {"size": 5, "phases": (OPEN, CLOSED)}, {"begun": {"a": 3}}, False, Outcome.PHASE_FULL),
        ({"dynamic": True, "size": 0}, {"begun": {"a": 9}}, False, Outcome.ASSIGN),
    ],
)
def test_what_a_poll_does_about_a_deployment(
    about: dict[str, Any], facts: dict[str, Any], is_held: bool, expected: Outcome
) -> None:
    assert decision.judge(plan(**about), Known(**facts), NOW, is_held=is_held).outcome is expected


def waiting(*deployments: str, on_head: str = "") -> list[Waiting]:
    return [Waiting(number, each, each in on_head) for number, each in enumerate(deployments, 1)]


@pytest.mark.parametrize(
    ("plans", "on_head", "chosen", "read"),
    [
        ({}, "", None, "abc"),
        ({"a": {}, "b": {}}, "", "a", "a"),
        ({"b": {}, "c": {}}, "", "b", "ab"),
        ({"a": {"phases": (CLOSED,)}, "b": {}, "c": {}}, "", None, "a"),
        ({"a": {"phases": (CLOSED,)}, "b": {}, "c": {"kind": CONFIGURATION}}, "c", "c", "ac"),
        ({"a": {"phases": (CLOSED,)}, "b": {}, "c": {}}, "c", None, "ac"),
        ({"a": {"phases": (OPEN, CLOSED)}, "b": {}}, "", "a", "a"),
    ],
)
def test_the_oldest_deployment_that_the_device_may_have_is_chosen(
    plans: dict[str, dict[str, Any]], on_head: str, chosen: str | None, read: str
) -> None:
    facts = Known({each: plan(each, **about) for each, about in plans.items()})

    decided = decision.decide(waiting(*"abc", on_head=on_head), facts, NOW)

    assert next((each.plan.id for each in decided if each.outcome is Outcome.ASSIGN), None) == chosen
    assert "".join(facts.read) == read


@pytest.mark.parametrize(
    ("about", "installed", "has_artifact", "expected"),
    [
        ({}, "one", True, Status.PENDING),
        ({}, "one", False, Status.NOARTIFACT),
        ({}, "two", False, Status.NOARTIFACT),
        ({}, "two", True, Status.ALREADY_INSTALLED),
        ({"force": True}, "two", True, Status.PENDING),
        ({"kind": CONFIGURATION}, "two", True, Status.PENDING),
    ],
)
def test_the_first_status(about: dict[str, Any], installed: str, has_artifact: bool, expected: Status) -> None:
    provides = {"artifact_name": installed, "device_type": "pi"}
    assert decision.first_status(plan(**about), provides, has_artifact=has_artifact) is expected


@pytest.mark.parametrize(
    ("asked", "expected"), [("now", Resumption.SAME), ("before", Resumption.CONFLICT), (None, Resumption.CHOOSE)]
)
def test_an_active_row_is_resumed(asked: str | None, expected: Resumption) -> None:
    current = Current(d="a", q=1, s="pending", a="artifact", r=asked)
    assert decision.resume(current, "now") is expected


@given(
    bounds=st.lists(st.integers(0, 10**6), min_size=1, max_size=20).map(sorted),
    sizes=st.lists(st.integers(0, 5000), min_size=1, max_size=256).filter(any),
)
def test_shares_of_parts_are_the_whole_and_proportional(bounds: list[int], sizes: list[int]) -> None:
    shares = [phases.share(bounds, part, sizes) for part in range(len(sizes))]

    assert sum(shares) == bounds[-1]
    for share, size in zip(shares, sizes, strict=True):
        assert abs(share - bounds[-1] * size / sum(sizes)) < len(bounds)


@given(
    sizes=st.lists(st.integers(0, 50), min_size=4, max_size=4).filter(any),
    uptos=st.lists(st.integers(1, 200), min_size=2, max_size=6, unique=True).map(sorted),
    most=st.integers(0, 150),
)
def test_a_share_never_decreases_from_phase_to_phase(sizes: list[int], uptos: list[int], most: int) -> None:
    planned = (*(Phase(PAST, upto=upto) for upto in uptos), Phase(PAST))
    about: dict[str, Any] = {"dynamic": True, "size": most} if most else {"part_sizes": sizes}
    large = plan(parts=4, phases=planned, **about)
    before = [0] * 4
    for phase in range(len(planned)):
        upto = large.capacity(phase)
        if upto is None:
            continue
        shares = [large.share(part, upto) for part in range(4)]
        assert sum(shares) == upto
        assert all(share >= earlier for share, earlier in zip(shares, before, strict=True))
        before = shares

"""The index of open deployments by their targets: polls choose the same as without it, and visit few."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from chalicelib.deployments.rules import decision, polling, target_index
from chalicelib.deployments.rules.decision import Decision, Outcome
from chalicelib.deployments.rules.deployment import CONFIGURATION, Plan
from chalicelib.deployments.rules.polling import Waiting
from chalicelib.deployments.rules.target_index import TargetIndex
from chalicelib.deployments.rules.targets import Targets
from chalicelib.fleet.parts import part_of
from tests.deployments.test_decision import CLOSED, NOW, OPEN, Known, plan

# Some share a slot in one table or in both, or a part; one is no UUID.
DEVICES = [f"{start}-0000-4000-8000-{number:012d}" for number, start in enumerate(["00000000"] * 2 + ["00000001"])]
DEVICES += [f"{start}-0000-4000-8000-000000000000" for start in ("00010000", "40000000", "ff000000")] + ["no UUID"]
KINDS: list[dict[str, Any]] = [
    {},
    {},
    {"dynamic": True, "size": 0},
    {"dynamic": True, "size": 3},
    {"parts": 4, "part_sizes": [1, 1, 1, 1]},
    {"parts": 4, "part_sizes": [1, 1, 1, 1]},
    {"phases": (CLOSED,)},
    {"phases": (OPEN, CLOSED)},
]


def chosen_of(waiting: list[Waiting], facts: Known) -> Decision | None:
    return next((each for each in decision.decide(waiting, facts, NOW) if each.outcome is Outcome.ASSIGN), None)


class History(RuleBasedStateMachine):
    """Deployments of a tenant begin and end, while devices poll with the index and without it."""

    def __init__(self) -> None:
        super().__init__()
        self.index = TargetIndex()
        self.last = 0
        self.opened: dict[str, int] = {}
        self.plans: dict[str, Plan] = {}
        self.targets: dict[str, set[str]] = {}
        """Also the devices that match a filter."""
        self.begun: Counter[str] = Counter()
        self.decided: Counter[str] = Counter()
        self.queues: dict[str, list[tuple[int, str]]] = {}
        self.matches: dict[str, tuple[int, int, set[int]]] = {}
        """The stored filter matches of a device: the sequence numbers between which they were taken, and those that
        match."""

    def new(self, about: dict[str, Any], targets: set[str]) -> Plan:
        self.last += 1
        made = plan(str(uuid.UUID(int=self.last)), sequence=self.last, **about)
        self.plans[made.id], self.targets[made.id] = made, targets
        return made

    @rule(about=st.sampled_from(KINDS), devices=st.sets(st.sampled_from(DEVICES)), is_read=st.booleans())
    def open(self, about: dict[str, Any], devices: set[str], is_read: bool) -> None:
        new = self.new(about, devices)
        self.opened = {**self.opened, new.id: new.sequence}
        known = Targets.of(devices) if is_read and not (new.dynamic or new.parts) else None
        self.index.update(self.opened, [(new, known)])

    @rule()
    def open_one_that_is_missing(self) -> None:
        self.last += 1
        self.opened = {**self.opened, f"missing {self.last}": self.last}
        self.index.update(self.opened, [])

    @precondition(lambda self: self.opened)
    @rule(data=st.data(), count=st.integers(1, 5))
    def close(self, data: st.DataObject, count: int) -> None:
        for _ in range(min(count, len(self.opened))):
            ended = data.draw(st.sampled_from(sorted(self.opened)))
            self.opened = {each: sequence for each, sequence in self.opened.items() if each != ended}
        self.index.update(self.opened, [])

    @rule(device=st.sampled_from(DEVICES), about=st.sampled_from([{}, {"kind": CONFIGURATION}]))
    def deploy_to_one(self, device: str, about: dict[str, Any]) -> None:
        new = self.new({**about, "on_heads": True}, {device})
        self.queues[device] = [*self.queues.get(device, []), (new.sequence, new.id)]

    @rule(device=st.sampled_from(DEVICES))
    def change_attributes(self, device: str) -> None:
        for each in self.opened:
            if each in self.plans and self.plans[each].dynamic:
                self.targets[each] ^= {device}
        self.matches.pop(device, None)

    @rule(device=st.sampled_from(DEVICES))
    def forget_history(self, device: str) -> None:
        del self.decided[device]

    @rule(device=st.sampled_from(DEVICES), finishes=st.booleans())
    def poll(self, device: str, finishes: bool) -> None:
        decided, queue = self.decided[device], self.queues.get(device, [])
        after, upto, matching = self.matches.get(device, (0, 0, set()))
        if after > decided:
            upto, matching = 0, set()
        foreign = {each for each, targets in self.targets.items() if device not in targets}
        all_of_them, few = (Known(self.plans, foreign, dict(self.begun)) for _ in range(2))

        everything = ((sequence, each) for each, sequence in self.opened.items())
        wanted = chosen_of(polling.waiting(decided, queue, everything), all_of_them)
        possible = self.index.possible(device, decided, upto, matching)
        chosen = chosen_of(polling.waiting(decided, queue, possible), few)

        assert chosen == wanted
        assert set(few.read) <= set(all_of_them.read)
        self.learn(device, few, upto)
        if chosen is not None:
            self.begun[chosen.plan.id] += 1
        if chosen is not None and finishes:
            self.decided[device] = max(decided, chosen.plan.decides or 0)
            self.queues[device] = [each for each in queue if each[1] != chosen.plan.id and each[0] > decided]

    def learn(self, device: str, seen: Known, upto: int) -> None:
        """What a poll leaves behind: the targets that it read, and stored filter matches."""
        for visited in (self.plans[each] for each in seen.read if each in self.plans):
            if not visited.dynamic and not visited.on_heads:
                parts = visited.parts or 1
                part = part_of(device, parts)
                targets = {each for each in self.targets[visited.id] if part_of(each, parts) == part}
                self.index.learn(visited.id, Targets.of(targets), part, parts)
            elif visited.dynamic and visited.sequence > upto:
                dynamic = {self.opened[each] for each in self.opened if each in self.plans and self.plans[each].dynamic}
                matching = {self.opened[each] for each in self.opened if device in self.targets.get(each, ())}
                self.matches[device] = (self.decided[device], max(self.opened.values()), dynamic & matching)


class FewBits(History):
    """The same, while the bits of ended deployments are used again soon."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(target_index, "_ENDED", 2)

    def teardown(self) -> None:
        self.patch.undo()


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=200, stateful_step_count=40)
TestFewBits = FewBits.TestCase
TestFewBits.settings = settings(max_examples=200, stateful_step_count=40)


def fixed(number: int) -> tuple[Plan, Targets]:
    """A deployment to 20 random devices."""
    deployment = str(uuid.UUID(int=number, version=4))
    return plan(deployment, sequence=number), Targets.of(str(uuid.uuid4()) for _ in range(20))


def test_a_thousand_deployments_to_other_devices_are_not_possible() -> None:
    new = [fixed(number) for number in range(1, 1001)]
    index = TargetIndex()
    index.update({each.id: each.sequence for each, _ in new}, new)

    # One of 10 million pairs of slots has a target by chance.
    assert sum(len(index.possible(str(uuid.uuid4()), 0, 0, ())) for _ in range(1000)) < 20
    for each, targets in new[:10]:
        for device in targets:
            assert (each.sequence, each.id) in index.possible(device, 0, 0, ())


def test_the_memory_does_not_grow_with_ended_deployments() -> None:
    index = TargetIndex()
    opened: dict[str, int] = {}
    weights = []
    for number in range(1, 2001):
        new, targets = fixed(number)
        opened = dict([*opened.items(), (new.id, number)][-100:])
        index.update(opened, [(new, targets)])
        weights.append(index.weight)

    assert max(weights[1000:]) <= max(weights[:1000]) * 1.1


def test_other_dynamic_deployments_are_not_possible_once_matched() -> None:
    new = [(plan(str(number), dynamic=True, size=0, sequence=number), None) for number in range(1, 1001)]
    index = TargetIndex()
    index.update({each.id: each.sequence for each, _ in new}, new)
    device = str(uuid.uuid4())

    assert len(index.possible(device, 0, 0, ())) == 1000
    assert index.possible(device, 0, 1000, ()) == []
    assert index.possible(device, 0, 998, [7]) == [(999, "999"), (1000, "1000"), (7, "7")]
    assert index.possible(device, 999, 998, [7]) == [(1000, "1000")]

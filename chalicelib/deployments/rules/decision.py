"""The decision of a poll: which deployment a device gets (``docs/behaviour.md#polling``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from chalicelib.deployments.rules import phases, windows
from chalicelib.deployments.rules.deployment import Plan
from chalicelib.deployments.rules.rollout import State, delay
from chalicelib.deployments.rules.statuses import Status

if TYPE_CHECKING:
    from chalicelib.deployments.rules.polling import Current, Waiting
    from chalicelib.deployments.shapes.rollout import Rollout


class Outcome(Enum):
    """What a poll does about one open deployment."""

    ASSIGN = "the device gets it"
    NOT_A_TARGET = "the device is not one of its targets"
    LIMIT_REACHED = "its limit of devices is reached"
    PAUSED = "it is paused, and devices wait for it"
    PAUSED_SKIPPED = "it is paused, and devices get newer deployments meanwhile"
    PHASE_NOT_OPEN = "its first phase has not opened"
    WINDOW_CLOSED = "none of its windows is open"
    DELAYED = "the delay of the device (jitter) has not passed"
    PHASE_FULL = "no more devices may begin in the open phases"
    RATE_REACHED = "no more devices may begin in this minute"
    BEHIND_ANOTHER = "an older deployment, for which the device waits, comes first"

    @property
    def holds(self) -> bool:
        """Whether the device gets no newer software meanwhile; after that, it could never get this deployment."""
        return self in _HOLD


_HOLD = {
    Outcome.PAUSED,
    Outcome.PHASE_NOT_OPEN,
    Outcome.WINDOW_CLOSED,
    Outcome.DELAYED,
    Outcome.PHASE_FULL,
    Outcome.RATE_REACHED,
}


_IN_ROLLOUT = {Outcome.PAUSED, Outcome.WINDOW_CLOSED, Outcome.DELAYED, Outcome.RATE_REACHED}
"""Outcomes that do not look at the number of devices, so that the limit of the deployment may have been reached."""


class Facts(Protocol):
    """What the decision depends on. Each is asked only when it matters, because the answer may cost a read."""

    device_id: str

    def plan(self, waiting: Waiting) -> Plan | None:
        """The deployment; None: it is no longer open."""

    def may_configure(self, waiting: Waiting) -> bool:
        """Whether it may be a configuration deployment, as far as that is known without a read."""

    def is_target(self, plan: Plan) -> bool:
        """Whether the deployment is for the device."""

    def is_full(self, plan: Plan, upto: int | None) -> bool:
        """Whether ``upto`` devices are known to have begun; never, if it is None."""

    def has_limit_reached(self, plan: Plan) -> bool:
        """Whether as many devices have begun as the limit of a dynamic deployment; may be some seconds late."""

    def state(self, plan: Plan) -> State:
        """How far the rollout of the deployment is."""

    def zone(self, attribute: str) -> str | None:
        """The device's own time zone, which is the value of this attribute; None: it has none."""

    def is_rate_reached(self, plan: Plan) -> bool:
        """Whether it is known that no more devices may begin in this minute."""


class Decision(msgspec.Struct, frozen=True):
    """What a poll does about one open deployment."""

    plan: Plan
    outcome: Outcome
    phase: int | None
    """The index of the last open phase, -1 if none is open; None: the deployment has no phases."""


def decide(waiting: Iterable[Waiting], facts: Facts, now: datetime) -> Iterator[Decision]:
    """What a poll does about each of the deployments that wait, oldest first. The device gets the first assigned one.

    Software deployments behind one for which the device waits are left out, unless ``facts`` want to know them.
    """
    is_held = False
    for each in waiting:
        if is_held and not facts.may_configure(each):
            continue
        plan = facts.plan(each)
        if plan is None:
            continue
        decision = judge(plan, facts, now, is_held=is_held)
        yield decision
        is_held = is_held or decision.outcome.holds


def judge(plan: Plan, facts: Facts, now: datetime, *, is_held: bool) -> Decision:
    """What a poll does about one deployment. ``is_held``: the device waits for an older one."""
    if is_held and not plan.configures:
        return Decision(plan, Outcome.BEHIND_ANOTHER, None)
    if facts.is_full(plan, plan.most):
        return Decision(plan, Outcome.LIMIT_REACHED, None)
    if not facts.is_target(plan):
        return Decision(plan, Outcome.NOT_A_TARGET, None)
    state = facts.state(plan)
    phase = open_phase(plan, state, now)
    outcome = _outcome(plan, facts, state, phase, now)
    if outcome in _IN_ROLLOUT and plan.most is not None and facts.has_limit_reached(plan):
        return Decision(plan, Outcome.LIMIT_REACHED, None)
    return Decision(plan, outcome, phase)


def _outcome(plan: Plan, facts: Facts, state: State, phase: int | None, now: datetime) -> Outcome:
    rollout = plan.rollout
    if state.p:
        skips = rollout is not None and rollout.when_paused == "skip"
        return Outcome.PAUSED_SKIPPED if skips else Outcome.PAUSED
    if phase == _NOT_OPEN:
        return Outcome.PHASE_NOT_OPEN
    begins = begins_at(plan, facts, state, phase, now)
    if begins is None:
        return Outcome.WINDOW_CLOSED
    if begins > now:
        return Outcome.DELAYED
    return _by_numbers(plan, facts, phase)


def _by_numbers(plan: Plan, facts: Facts, phase: int | None) -> Outcome:
    if facts.is_full(plan, plan.capacity(phase)):
        return Outcome.PHASE_FULL
    return Outcome.RATE_REACHED if plan.rate is not None and facts.is_rate_reached(plan) else Outcome.ASSIGN


def begins_at(plan: Plan, facts: Facts, state: State, phase: int | None, now: datetime) -> datetime | None:
    """From when on the device may begin in an open phase of a rollout, with its delay; None: no window is open."""
    rollout = plan.rollout
    if rollout is None:
        return now
    began = windows.opened(rollout.windows, zone_of(rollout, facts), now) if rollout.windows else plan.visible
    if began is None:
        return None
    if not rollout.jitter:
        return now
    opened = plan.visible if phase is None else max(plan.visible, opened_at(plan, state, phase))
    return max(began, opened) + delay(plan.id, facts.device_id, rollout.jitter)


def zone_of(rollout: Rollout, facts: Facts) -> str:
    """The time zone of the windows for the device."""
    own = facts.zone(rollout.device_time_zone) if rollout.device_time_zone is not None else None
    return own or rollout.time_zone or "UTC"


_NOT_OPEN: Final = -1


def open_phase(plan: Plan, state: State, now: datetime) -> int | None:
    """Index of the last open phase, -1 if none is open; None: the deployment has no phases.

    Time opens the first phase, and without a gate all phases. A gate or an operator opens others in ``state``.
    """
    if not plan.phases:
        return None
    by_time = phases.opened(plan.phases if plan.gate is None else plan.phases[:1], now - state.shift)
    return max(by_time, state.o) - 1


def opened_at(plan: Plan, state: State, phase: int) -> datetime:
    """When an open phase was opened."""
    if state.o == phase + 1:
        return datetime.fromtimestamp(state.t, UTC)
    return state.start_of(plan.phases[phase])


def first_status(plan: Plan, provides: Mapping[str, str], *, has_artifact: bool) -> Status:
    """The status in which a device begins. ``has_artifact``: one of the release's artifacts fits the device."""
    if not has_artifact:
        return Status.NOARTIFACT
    if not plan.force and not plan.configures and plan.artifact_name == provides.get("artifact_name"):
        return Status.ALREADY_INSTALLED
    return Status.PENDING


class Resumption(Enum):
    """What a poll does while the device has an active row."""

    SAME = "it gets the same artifact again"
    CHOOSE = "it gets an artifact for the next attempt"
    CONFLICT = "it describes itself differently than before, so the update fails"


def resume(current: Current, request: str) -> Resumption:
    """What a poll does with the active row ``current``. ``request``: hash of what the device provides now."""
    if current.r is None:
        return Resumption.CHOOSE
    return Resumption.SAME if current.r == request else Resumption.CONFLICT

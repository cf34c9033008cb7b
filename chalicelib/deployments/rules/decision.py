"""The decision of a poll: which deployment a device gets (``docs/behaviour.md#polling``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Protocol

import msgspec

from chalicelib.deployments.rules import phases
from chalicelib.deployments.rules.deployment import Plan
from chalicelib.deployments.rules.statuses import Status

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.polling import Current, Waiting


class Outcome(Enum):
    """What a poll does about one open deployment."""

    ASSIGN = "the device gets it"
    NOT_A_TARGET = "the device is not one of its targets"
    LIMIT_REACHED = "it has as many devices as its limit"
    PHASE_NOT_OPEN = "its first phase has not opened"
    PHASE_FULL = "the open phases have as many devices as they may have"
    BEHIND_A_PHASE = "an older deployment, whose phase has not opened, comes first"

    @property
    def holds(self) -> bool:
        """Whether the device gets no newer software until then, because it could never get this deployment after it."""
        return self in {Outcome.PHASE_NOT_OPEN, Outcome.PHASE_FULL}


class Facts(Protocol):
    """What the decision depends on. Each is asked only when it matters, because the answer may cost a read."""

    def plan(self, waiting: Waiting) -> Plan | None:
        """The deployment; None: it is no longer open."""

    def may_configure(self, waiting: Waiting) -> bool:
        """Whether it may be a configuration deployment, as far as that is known without a read."""

    def is_target(self, plan: Plan) -> bool:
        """Whether the deployment is for the device."""

    def is_full(self, plan: Plan, upto: int | None) -> bool:
        """Whether ``upto`` devices are known to have begun; never, if it is None."""


class Choice(msgspec.Struct, frozen=True):
    """The deployment that the device gets, and the index of its last open phase; None: it has no phases."""

    plan: Plan
    phase: int | None


def choose(waiting: Iterable[Waiting], facts: Facts, now: datetime) -> Choice | None:
    """The first deployment that the device gets, of those that wait, oldest first; None: none of them."""
    is_held = False
    for each in waiting:
        if is_held and not facts.may_configure(each):
            continue
        plan = facts.plan(each)
        if plan is None:
            continue
        outcome = judge(plan, facts, now, is_held=is_held)
        if outcome is Outcome.ASSIGN:
            return Choice(plan, open_phase(plan, now))
        is_held = is_held or outcome.holds
    return None


def judge(plan: Plan, facts: Facts, now: datetime, *, is_held: bool) -> Outcome:
    """What a poll does about one deployment. ``is_held``: the device waits for the phase of an older one."""
    phase = open_phase(plan, now)
    if is_held and not plan.configures:
        return Outcome.BEHIND_A_PHASE
    if facts.is_full(plan, plan.most):
        return Outcome.LIMIT_REACHED
    if not facts.is_target(plan):
        return Outcome.NOT_A_TARGET
    if phase == _NOT_OPEN:
        return Outcome.PHASE_NOT_OPEN
    if facts.is_full(plan, plan.capacity(phase)):
        return Outcome.PHASE_FULL
    return Outcome.ASSIGN


_NOT_OPEN = -1


def open_phase(plan: Plan, now: datetime) -> int | None:
    """Index of the last open phase, -1 if none is open; None: the deployment has no phases."""
    return phases.opened(plan.phases, now) - 1 if plan.phases else None


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

"""Explains why a device gets a deployment or not (``docs/rollouts.md#why-a-device-does-not-get-it``).

The decisions are those of ``rules.decision``, which a poll makes too; here they only get words.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from chalicelib import clock, limits
from chalicelib.artifacts import service as artifacts
from chalicelib.deployments.rules import decision, polling, selection, waiting, windows
from chalicelib.deployments.rules.decision import Outcome
from chalicelib.deployments.rules.rollout import delay
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import plans
from chalicelib.deployments.service.filter_matches import FilterMatches
from chalicelib.deployments.service.operators import predicting
from chalicelib.deployments.service.operators.predicting import Prediction
from chalicelib.deployments.service.operators.reach import Reach
from chalicelib.deployments.shapes.rollout import Explanation
from chalicelib.deployments.tables import counters, deployments, heads
from chalicelib.devauth import service as devauth
from chalicelib.errors import Conflict
from chalicelib.fleet import control
from chalicelib.fleet import heads as fleet_heads

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from chalicelib.deployments.rules.decision import Decision
    from chalicelib.deployments.rules.deployment import Deployment, Plan
    from chalicelib.deployments.rules.polling import Current, Waiting
    from chalicelib.deployments.shapes.rollout import Decided
    from chalicelib.fleet.head import Head
    from chalicelib.rights import Scopes
    from chalicelib.storage.keys import TenantId

_Said = tuple["Decided", str, "datetime | None"]
"""The decision, its reason, and when that changes."""
_DECIDED: Final[dict[Outcome, Decided]] = {
    Outcome.NOT_A_TARGET: "not-a-target",
    Outcome.LIMIT_REACHED: "limit-reached",
    Outcome.PAUSED: "paused",
    Outcome.PAUSED_SKIPPED: "paused",
    Outcome.PHASE_NOT_OPEN: "phase-not-open",
    Outcome.WINDOW_CLOSED: "window-closed",
    Outcome.DELAYED: "delayed",
    Outcome.PHASE_FULL: "phase-full",
    Outcome.RATE_REACHED: "rate-reached",
    Outcome.BEHIND_ANOTHER: "behind-another",
}


def explain(tenant: TenantId, device_id: str, scopes: Scopes) -> list[Explanation]:
    """What the next poll of a device does about each open deployment.

    The active one comes first, then the others in the order of polls, then at most ``limits.EXPLAINED`` that polls do
    not see yet. Those outside of the scopes are left out.

    Raises:
        Conflict: the device is not accepted, so it cannot poll.
        NotFound: there is no such device.
    """
    head = fleet_heads.find(tenant, device_id)
    if head is None or not head.is_accepted:
        raise _refused(tenant, device_id)
    now = clock.now()
    opened = control.get(tenant, fresh=True).open
    found = _considered(tenant, head, opened)
    current = heads.current_of(head)
    active = [current.d] if current is not None else []
    facts = Prediction(tenant, head, [*active, *(each.deployment for each in found)], now)
    facts.read_targets()
    if current is not None and current.d not in facts.stored:  # its next poll finds out that it has ended
        head = replace(head, decided=max(head.decided, current.decides or 0))
    said = [
        *_Explanations(tenant, head, facts, now).all(found, current),
        *_others(tenant, opened.keys() - {each.deployment for each in found}),
    ]
    said.sort(key=lambda each: (each[1][0] != "active", each[0].sequence))
    reach = Reach(tenant, scopes)
    return [_show(plan, each) for plan, each in [*said, *_hidden(tenant, facts)] if reach.takes(plan)]


def _refused(tenant: TenantId, device_id: str) -> Conflict:
    """Why a device gets no answer to its polls.

    Raises:
        NotFound: there is no such device.
    """
    device = devauth.get(tenant, device_id)
    if device.decommissioning:
        return Conflict("the device is being decommissioned, so it gets no deployment")
    status = device.standing.status
    return Conflict(f"the device is {status}, and only accepted devices get deployments; accept it first")


def _show(plan: Plan, said: _Said) -> Explanation:
    decided, reason, opens = said
    return Explanation(
        id=plan.id,
        name=plan.name,
        artifact_name=plan.artifact_name,
        type=plan.kind,
        created=clock.rfc3339(plan.created),
        decision=decided,
        reason=reason,
        opens=None if opens is None else clock.rfc3339(opens),
    )


def _considered(tenant: TenantId, head: Head, opened: Mapping[str, int]) -> list[Waiting]:
    """The open deployments that may be for the device or that it has finished, oldest first."""
    # Results of filters do not go back to what the device has finished.
    since_ever = replace(head, decided=0, verdicts=None)
    possible = plans.possible_for(tenant, since_ever, opened, FilterMatches(tenant, since_ever))
    return polling.waiting(0, heads.queue_of(head), possible)


def _others(tenant: TenantId, wanted: Collection[str]) -> Iterator[tuple[Plan, _Said]]:
    """The open deployments that cannot be for the device. Those that the process knows are not read again."""
    plans.load(tenant, wanted)
    for each in wanted:
        plan = plans.get(tenant, each)
        if plan is not None:
            yield plan, ("not-a-target", _NOT_A_TARGET[plan.dynamic], None)


def _hidden(tenant: TenantId, facts: Prediction) -> Iterator[tuple[Plan, _Said]]:
    """The deployments that polls do not see yet, with the reason; nothing is read if the tenant cannot have any."""
    known = control.get(tenant)
    if known.parts == 1 and not known.approvals:
        return
    hidden = (each for each in deployments.of_tenant(tenant, is_open=True, newest_first=False) if each.is_hidden)
    for each in islice(hidden, limits.EXPLAINED):
        may_reach = each.plan.dynamic or not each.plan.is_listed or facts.is_target(each.plan)
        if each.waits and may_reach:
            yield each.plan, ("waits-for-approval", "a second person has to approve it first", None)
        elif not each.waits:
            yield each.plan, ("preparing", "its devices are still being listed", None)


class _Explanations:
    """The explanations for one device."""

    def __init__(self, tenant: TenantId, head: Head, facts: Prediction, now: datetime) -> None:
        self._tenant = tenant
        self._head = head
        self._facts = facts
        self._now = now
        self._provided: Mapping[str, str] | None = None

    def all(self, considered: Iterable[Waiting], current: Current | None) -> Iterable[tuple[Plan, _Said]]:
        """The deployments with their explanations: the active one first, then in the order of their creation."""
        active = self._facts.stored.get(current.d) if current is not None else None
        if active is not None and current is not None:
            yield active.plan, ("active", f"the device is in the middle of it; its last status is {current.s}", None)
        first = active.plan if active is not None else None
        others = [each for each in considered if active is None or each.deployment != active.id]
        for each in others:
            plan = self._facts.plan(each) if each.sequence <= self._head.decided else None
            if plan is not None:
                yield plan, self._done(plan)
        held_by: Plan | None = None
        newer = (each for each in others if each.sequence > self._head.decided)
        for decided in decision.decide(newer, self._facts, self._now):
            plan = decided.plan
            if decided.outcome is not Outcome.ASSIGN:
                yield plan, self._reason(self._facts.stored[plan.id], decided, held_by)
            elif first is not None:
                yield plan, ("later", f'it comes after "{first.name}", which the device gets first', None)
            else:
                first = plan
                yield plan, self._assigned(plan)
            if decided.outcome.holds:
                held_by = held_by or plan

    def _done(self, plan: Plan) -> _Said:
        if not self._facts.is_target(plan):
            return "not-a-target", _NOT_A_TARGET[plan.dynamic], None
        return "done", "the device has finished it, or a newer deployment after which it gets no older one", None

    def _reason(self, stored: Deployment, decided: Decision, held_by: Plan | None) -> _Said:
        plan, text, opens = stored.plan, decided.outcome.value, None
        match decided.outcome:
            case Outcome.NOT_A_TARGET:
                text = _NOT_A_TARGET[plan.dynamic]
            case Outcome.LIMIT_REACHED:
                text = f"its limit of devices is reached (max_devices: {plan.most})"
            case Outcome.PAUSED | Outcome.PAUSED_SKIPPED:
                text = _paused(stored, decided.outcome)
            case Outcome.PHASE_NOT_OPEN | Outcome.PHASE_FULL:
                text, opens = self._waits_for_phase(stored)
            case Outcome.WINDOW_CLOSED | Outcome.DELAYED:
                text, opens = self._waits_for_time(stored, decided)
            case Outcome.RATE_REACHED:
                text = f"no more devices may begin in this minute (maximum_per_minute: {plan.rate})"
            case Outcome.BEHIND_ANOTHER if not self._facts.is_target(plan):  # which a poll need not know
                return _DECIDED[Outcome.NOT_A_TARGET], _NOT_A_TARGET[plan.dynamic], None
            case Outcome.BEHIND_ANOTHER if held_by is not None:
                text = f'it comes after "{held_by.name}", an older deployment for which the device waits'
        return _DECIDED[decided.outcome], text, opens

    def _waits_for_phase(self, stored: Deployment) -> tuple[str, datetime | None]:
        counts = counters.of(self._tenant, stored.plan, recent=True)
        wait = waiting.for_next_phase(stored, counts, self._now)
        if wait is None:
            return "all phases are open, and no more devices may begin", None
        full = "" if wait.phase == 0 else f"no more devices may begin until phase {wait.phase + 1} opens; "
        return full + wait.reason, wait.opens

    def _waits_for_time(self, stored: Deployment, decided: Decision) -> tuple[str, datetime | None]:
        plan, rollout = stored.plan, stored.plan.rollout
        if rollout is None:
            return decided.outcome.value, None
        if decided.outcome is Outcome.DELAYED:
            begins = decision.begins_at(plan, self._facts, stored.progress.state, decided.phase, self._now)
            text = f"devices begin at different times within {_minutes(rollout.jitter.total_seconds())} (jitter)"
            return text + ("" if begins is None else f"; this one at {clock.rfc3339(begins)}"), begins
        zone = decision.zone_of(rollout, self._facts)
        opens = windows.next_start(rollout.windows, zone, self._now)
        if opens is None:
            return decided.outcome.value, None
        local = windows.local(opens, zone)
        begins = opens + delay(plan.id, self._facts.device_id, rollout.jitter)
        return f"none of its windows is open; the next one opens at {local:%H:%M on %A, %Y-%m-%d} ({zone})", begins

    def _assigned(self, plan: Plan) -> _Said:
        if self._provided is None:
            self._provided = predicting.provides(self._tenant, self._head.device_id)
        provided = self._provided
        match predicting.first_status(self._tenant, plan, provided):
            case Status.NOARTIFACT:
                return "noartifact", self._no_artifact(plan, provided), None
            case Status.ALREADY_INSTALLED:
                return "already-installed", f"the device has {plan.artifact_name} already", None
            case None if "device_type" not in provided:
                return "unknown", "the next poll begins it; the device has not reported its type yet", None
            case None:
                unmet = selection.unmet(artifacts.candidates(self._tenant, plan.artifact_name), provided)
                return "unknown", unmet.reason, None
        return "assign", "the next poll of the device begins it", None

    def _no_artifact(self, plan: Plan, provided: Mapping[str, str]) -> str:
        refused = predicting.refused_downgrade(self._tenant, plan, provided)
        if refused is not None:
            return f"the trust policy refuses older software: {refused}"
        candidates = artifacts.candidates(self._tenant, plan.artifact_name)
        return selection.none_runs(plan.artifact_name, candidates, provided["device_type"])


_NOT_A_TARGET: Final = {False: "it is not for this device", True: "the device does not match its filter"}


def _paused(stored: Deployment, outcome: Outcome) -> str:
    pause = stored.progress.pause
    text = f"it is paused: {pause.reason}" if pause is not None and pause.reason else "it is paused"
    return text if outcome is Outcome.PAUSED else f"{text}; the device gets newer deployments meanwhile"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} minutes"

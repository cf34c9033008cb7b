"""Gates and stops: what the results of a rollout's devices mean for it (``docs/rollouts.md``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from chalicelib import limits
from chalicelib.deployments.rules import decision
from chalicelib.deployments.rules.rollout import Results, devices, opened
from chalicelib.deployments.rules.statuses import SUCCEEDED, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.rules.rollout import Progress
    from chalicelib.deployments.rules.statistics import Counts
    from chalicelib.deployments.shapes.rollout import Gate, Stop

LEFT: Final = frozenset({Status.NOARTIFACT, Status.DECOMMISSIONED, Status.ABORTED})
"""Final statuses of devices that did not try the update, so they count neither as success nor as failure."""
RESULTS: Final = ("succeeded", "failed", "left")
"""What the end of an update means for a rollout."""
_WHOLE: Final = 100
ALL_PHASES: Final = -1


def result_of(status: Status | None) -> str | None:
    """The one of :data:`RESULTS` that a status means; None: it is not final."""
    if status in SUCCEEDED:
        return "succeeded"
    if status is Status.FAILURE:
        return "failed"
    return "left" if status in LEFT else None


class GateNumbers(msgspec.Struct, frozen=True):
    """How far the devices of a phase are towards the gate of the next one."""

    began: int
    """Devices that began in the phase, without those that did not try the update."""
    succeeded: int
    failed: int
    needed: int
    """The number of successes that opens the gate."""

    @property
    def is_enough(self) -> bool:
        """Whether as many have succeeded as the gate needs."""
        return self.succeeded >= self.needed


def numbers(gate: Gate, counts: Counts, phase: int) -> GateNumbers:
    """How far the devices that began in ``phase`` are towards the gate of the next one."""
    results = counts.in_phase(phase)
    began = counts.phases[phase] - results.left if phase < len(counts.phases) else 0
    return GateNumbers(began, results.succeeded, results.failed, _needed(gate, began))


def _needed(gate: Gate, tried: int) -> int:
    """How many of the devices that tried the update must succeed."""
    return max(gate.minimum_devices, -(-tried * gate.success_percent // _WHOLE))


class BestCase(msgspec.Struct, frozen=True):
    """How far the devices of a phase may still get towards the gate of the next one."""

    succeeded: int
    """The number of devices that will have succeeded if none fails from now on."""
    needed: int
    """The number of successes that opens the gate then."""
    failed: int
    left: int
    """Devices that did not try the update."""

    @property
    def is_enough(self) -> bool:
        """Whether the gate can open without a further action of a user."""
        return self.succeeded >= self.needed


def best_case(plan: Plan, gate: Gate, counts: Counts, phase: int) -> BestCase:
    """How far the devices of an open phase may still get, if all that may begin in it do."""
    results = counts.in_phase(phase)
    capacity = plan.capacity(phase)
    free = [] if capacity is None else [capacity - sum(counts.phases)]
    if not plan.dynamic:
        free.append(plan.size - counts.rows)
    tried = numbers(gate, counts, phase).began + max(0, min(free, default=limits.MAX_DEVICES))
    return BestCase(tried - results.failed, _needed(gate, tried), results.failed, results.left)


class Trip(msgspec.Struct, frozen=True):
    """What stops a deployment."""

    results: Results
    phase: int | None
    reason: str


def least_failures(stop: Stop) -> int:
    """The number of devices that stop a deployment if all of them fail."""
    by_share = None if stop.max_failures_percent is None else stop.minimum_reports
    return min(number for number in (stop.max_failures, by_share) if number is not None)


def tripped(stop: Stop, counts: Counts, accepted: Mapping[int, Results]) -> Trip | None:
    """What stops a deployment with these counters; None: nothing does.

    ``accepted``: results that do not count any more, as in ``rollout.Progress``.
    """
    for phase, found in _results(stop, counts):
        seen = accepted.get(ALL_PHASES if phase is None else phase, Results())
        failures, reports = found.failures - seen.failures, found.reports - seen.reports
        reason = _reason(stop, failures, reports)
        if reason is not None:
            where = "" if phase is None else f" in phase {phase + 1}"
            return Trip(Results(failures, reports), phase, reason + where)
    return None


def results(stop: Stop, counts: Counts) -> dict[int, Results]:
    """The present results, in the form of ``rollout.Progress.accepted``."""
    return {ALL_PHASES if phase is None else phase: found for phase, found in _results(stop, counts)}


def still_accepted(stop: Stop, counts: Counts, accepted: Mapping[int, Results]) -> dict[int, Results]:
    """The accepted results without those that devices have corrected since: at most as many as there are now."""
    found = results(stop, counts)
    return {
        phase: Results(min(seen.failures, found[phase].failures), min(seen.reports, found[phase].reports))
        for phase, seen in accepted.items()
        if phase in found
    }


def _results(stop: Stop, counts: Counts) -> Iterator[tuple[int | None, Results]]:
    if stop.per == "deployment":
        failed = counts.by_status.get(Status.FAILURE, 0)
        yield None, Results(failed, failed + sum(counts.by_status.get(each, 0) for each in SUCCEEDED))
        return
    for phase in range(len(counts.phases)):
        found = counts.in_phase(phase)
        yield phase, Results(found.failed, found.failed + found.succeeded)


def _reason(stop: Stop, failures: int, reports: int) -> str | None:
    if failures < 1:
        return None
    if stop.max_failures is not None and failures >= stop.max_failures:
        have = "has" if failures == 1 else "have"
        return f"{devices(failures)} {have} failed (max_failures: {stop.max_failures})"
    share = stop.max_failures_percent
    if share is not None and reports >= stop.minimum_reports and failures * _WHOLE >= share * reports:
        return f"{failures} of {reports} devices have failed (max_failures_percent: {share})"
    return None


def waits_for(plan: Plan, progress: Progress, now: datetime) -> int | None:
    """The index of the phase that only a gate keeps from opening; None: time does, or all phases are open."""
    phase = next_phase(plan, progress, now)
    if phase is None or phase == 0 or plan.gate is None or progress.state.p:
        return None
    return phase if progress.state.start_of(plan.phases[phase]) <= now else None


def number_open(plan: Plan, progress: Progress, now: datetime) -> int:
    """The number of phases that are open; 0 for a deployment without phases."""
    last = decision.open_phase(plan, progress.state, progress.moment(now))
    return 0 if last is None else last + 1


def next_phase(plan: Plan, progress: Progress, now: datetime) -> int | None:
    """The index of the phase that opens next; None: there is none."""
    following = number_open(plan, progress, now)
    return following if following < len(plan.phases) else None


def advanced(plan: Plan, progress: Progress, counts: Counts, now: datetime) -> Progress:
    """The progress of a rollout after a look at its gate."""
    phase, gate = waits_for(plan, progress, now), plan.gate
    if phase is None or gate is None:
        return progress
    if not numbers(gate, counts, phase - 1).is_enough:
        return progress if progress.reached is None else replace(progress, reached=None)
    since = progress.reached or now
    if since + gate.soak <= now:
        return opened(progress, phase + 1, now)
    return progress if progress.reached is not None else replace(progress, reached=since)

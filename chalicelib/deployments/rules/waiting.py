"""What a rollout waits for, in words and numbers, for the people who look at it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from chalicelib.deployments.rules import gates
from chalicelib.deployments.rules.gates import BestCase, GateNumbers
from chalicelib.deployments.rules.rollout import devices
from chalicelib.deployments.rules.statistics import NONE
from chalicelib.times import rfc3339

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Deployment
    from chalicelib.deployments.rules.statistics import Counts


class Wait(msgspec.Struct, frozen=True):
    """What the next phase of a deployment waits for."""

    phase: int
    """The index of that phase."""
    reason: str
    opens: datetime | None = None
    """When it opens, if that is known."""
    reached: GateNumbers | None = None
    """How far its gate is, if it has one."""
    since: datetime | None = None
    """Since when the gate has what it needs."""


def for_next_phase(deployment: Deployment, counts: Counts, now: datetime) -> Wait | None:
    """What the next phase of an open deployment waits for; None: all phases are open, or it waits for approval."""
    plan, progress = deployment.plan, deployment.progress
    phase = gates.next_phase(plan, progress, now)
    if phase is None or deployment.waits or not deployment.is_open:
        return None
    gate = plan.gate
    reached = gates.numbers(gate, counts, phase - 1) if gate is not None and phase else None
    if progress.state.p:
        return Wait(phase, f"phase {phase + 1} opens after the deployment is resumed", reached=reached)
    start = progress.state.start_of(plan.phases[phase])
    if gate is None or reached is None:
        return Wait(phase, f"phase {phase + 1} opens at {rfc3339(start)}", start)
    if progress.reached is not None and reached.is_enough:
        opens = max(start, progress.reached + gate.soak)
        text = f"phase {phase + 1} opens at {rfc3339(opens)} if the share of success holds"
        return Wait(phase, text, opens, reached, progress.reached)
    best = gates.best_case(plan, gate, counts, phase - 1)
    if not best.is_enough:
        return Wait(phase, _never(phase, best), reached=reached)
    needed, succeeded = reached.needed, reached.succeeded
    if reached.began < needed:
        text = f"phase {phase + 1} opens after success in phase {phase}: {needed} needed, now {succeeded}"
    else:
        before = f"{needed} of {reached.began} devices of phase {phase}"
        text = f"phase {phase + 1} opens when {before} have succeeded; now {succeeded}"
    if start > now:
        text += f"; not before {rfc3339(start)}"
    return Wait(phase, text, reached=reached)


def opens_at(deployment: Deployment, now: datetime) -> datetime | None:
    """When the next phase of a deployment opens by time; None: it waits for something else, or there is none."""
    wait = for_next_phase(deployment, NONE, now)
    return None if wait is None else wait.opens


def _never(phase: int, best: BestCase) -> str:
    """Why success cannot open a phase any more."""
    reasons = [f"{best.failed} failed"] if best.failed else []
    reasons += [f"{best.left} did not try the update"] if best.left else []
    why = f" ({', '.join(reasons)})" if reasons else ""
    return (
        f"phase {phase + 1} does not open by itself: {devices(best.needed)} of phase {phase} must succeed, "
        f"but only {best.succeeded} can{why}; open it by hand, or abort the deployment"
    )

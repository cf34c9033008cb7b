"""The opening of phases, which the creation of a deployment and the schedule record."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chalicelib.deployments.rules import gates
from chalicelib.deployments.rules.rollout import NEW
from chalicelib.deployments.service import events
from chalicelib.deployments.tables import counters
from chalicelib.observability import logger

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.rules.rollout import Progress
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

_MINUTE: Final = timedelta(minutes=1)
_RARELY: Final = timedelta(minutes=15)


def phase_opened(tx: Transaction, tenant: TenantId, deployment: str, number: int) -> None:
    """A phase has opened. Code that needs to know adds to this transaction, which happens exactly once per phase.

    It is up to a minute late, or as long as the schedule did not run; devices do not wait for it.
    """
    events.phase_opened(tx, tenant, deployment, number + 1)
    logger.info("phase opened", extra={"tenant": tenant, "deployment": deployment, "phase": number + 1})


def begin(tx: Transaction, tenant: TenantId, plan: Plan, now: datetime) -> tuple[int, datetime | None]:
    """Add what belongs to the moment in which polls begin to see a deployment.

    Returns the number of phases that are open, and when the schedule has to check the deployment.
    """
    opened = gates.number_open(plan, NEW, now)
    for number in range(opened):
        phase_opened(tx, tenant, plan.id, number)
    if plan.is_bounded and not plan.parts:
        counters.create_room(tx, tenant, plan.id)
    return opened, next_check(plan, now)


def next_check(plan: Plan, now: datetime, progress: Progress = NEW) -> datetime | None:
    """When the schedule has to check a deployment next: when a phase opens.

    Or every minute, if

    - it is large and ends when as many devices as its limit have finished, because none of its parts knows how many
      devices the others have, or if the parts may not know yet that it is paused;
    - a phase waits for success in the one before. Once enough devices have succeeded, less often;
    - failures can stop it and it is large, because not every report of a failure looks at all parts. Otherwise less
      often, in case a process died between such a report and the stop.
    """
    times: list[datetime] = []
    if (plan.parts and plan.most is not None) or progress.settling:
        times.append(now + _MINUTE)
    if not progress.state.p:
        starts = map(progress.state.start_of, plan.phases)
        times += [start for start in starts if start > now]
        if plan.stop is not None:
            times.append(now + (_MINUTE if plan.parts else _RARELY))
        if gates.waits_for(plan, progress, now) is not None:
            times.append(_look_at_gate(plan, progress, now))
    return min(times, default=None)


def _look_at_gate(plan: Plan, progress: Progress, now: datetime) -> datetime:
    if progress.reached is None or plan.gate is None:
        return now + _MINUTE
    return max(now + _MINUTE, min(now + _RARELY, progress.reached + plan.gate.soak))

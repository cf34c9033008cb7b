"""Predicts which deployments a device will get, and when.

Source: ``docs/behaviour.md#next-deployments``. It decides as a poll does (``rules.decision``), and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from chalicelib import clock, limits
from chalicelib.deployments.rules import decision, polling
from chalicelib.deployments.rules.decision import Outcome
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import plans
from chalicelib.deployments.service.operators import explaining, predicting
from chalicelib.deployments.service.operators.predicting import Prediction
from chalicelib.deployments.service.operators.reach import Reach
from chalicelib.deployments.service.verdicts import Verdicts
from chalicelib.deployments.shapes import Upcoming
from chalicelib.deployments.tables import deployments, heads
from chalicelib.fleet import control
from chalicelib.fleet import heads as fleet_heads

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.shapes import Outcome as Predicted
    from chalicelib.deployments.shapes import When
    from chalicelib.fleet.head import Head
    from chalicelib.rights import Scopes
    from chalicelib.storage.keys import TenantId


def upcoming(tenant: TenantId, device_id: str, scopes: Scopes) -> list[Upcoming]:
    """The unfinished deployments that reach a device, in the order in which it gets them; at most ``limits.UPCOMING``.

    Those outside of the scopes are left out. The list is empty for devices that are not accepted.
    """
    head = fleet_heads.find(tenant, device_id)
    if head is None or not head.is_accepted:
        return []
    found = _in_order(tenant, head)
    stored = deployments.find_many(tenant, (plan.id for plan, _, _ in found))
    reach = Reach(tenant, scopes)
    provided = predicting.provides(tenant, device_id)
    return [
        Upcoming(
            id=plan.id,
            name=plan.name,
            artifact_name=plan.artifact_name,
            type=plan.kind,
            created=clock.rfc3339(plan.created),
            when=when,
            opens=clock.rfc3339(opens) if opens is not None else None,
            outcome=_outcome(tenant, plan, provided),
        )
        for plan, when, opens in found
        if plan.id in stored and stored[plan.id].is_open and reach.takes(plan)
    ]


def _in_order(tenant: TenantId, head: Head) -> list[tuple[Plan, When, datetime | None]]:
    """The deployments for a device with ``Upcoming.when`` and ``Upcoming.opens``."""
    current = heads.current_of(head)
    active = plans.get(tenant, current.d) if current is not None else None
    found: list[tuple[Plan, When, datetime | None]] = [(active, "active", None)] if active is not None else []
    is_taken, is_held = active is not None, False
    possible = plans.possible_for(tenant, head, control.get(tenant).open, Verdicts(tenant, head))
    waiting = polling.waiting(head.decided, heads.queue_of(head), possible)
    now = clock.now()
    facts = Prediction(tenant, head, (each.deployment for each in waiting), now)
    for each in waiting:
        stored = facts.stored.get(each.deployment)
        if stored is None or (active is not None and stored.id == active.id):
            continue
        plan, decided = stored.plan, decision.judge(stored.plan, facts, now, is_held=False)
        if decided.outcome in {Outcome.LIMIT_REACHED, Outcome.NOT_A_TARGET}:
            continue
        if decided.outcome in {Outcome.PHASE_NOT_OPEN, Outcome.PHASE_FULL}:
            found.append((plan, "phase", explaining.phase_opens(stored, now)))
        elif decided.outcome is not Outcome.ASSIGN:
            found.append((plan, "waits", None))
        elif is_taken or (is_held and not plan.configures):
            found.append((plan, "later", None))
        else:
            found.append((plan, "next", None))
            is_taken = True
        is_held = is_held or decided.outcome.holds
        if len(found) == limits.UPCOMING:
            break
    return found


def _outcome(tenant: TenantId, plan: Plan, provided: Mapping[str, str]) -> Predicted:
    status = predicting.first_status(tenant, plan, provided)
    if status is None:
        return "unknown"
    return _OUTCOMES.get(status, "update")


_OUTCOMES: Final[dict[Status, Predicted]] = {
    Status.NOARTIFACT: "noartifact",
    Status.ALREADY_INSTALLED: "already-installed",
}

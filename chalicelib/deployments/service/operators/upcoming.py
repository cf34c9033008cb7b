"""Predicts which deployments a device will get, and when.

Source: ``docs/behaviour.md#next-deployments``. It decides as a poll does (``rules.decision``), and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from chalicelib import clock, limits
from chalicelib.deployments.rules import decision, polling, waiting
from chalicelib.deployments.rules.decision import Outcome
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import plans
from chalicelib.deployments.service.filter_matches import FilterMatches
from chalicelib.deployments.service.operators import predicting
from chalicelib.deployments.service.operators.predicting import Prediction
from chalicelib.deployments.service.operators.reach import Reach
from chalicelib.deployments.shapes import Upcoming
from chalicelib.deployments.tables import heads
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
        if reach.takes(plan)
    ]


def _in_order(tenant: TenantId, head: Head) -> list[tuple[Plan, When, datetime | None]]:
    """The deployments for a device with ``Upcoming.when`` and ``Upcoming.opens``."""
    current = heads.current_of(head)
    possible = plans.possible_for(tenant, head, control.get(tenant).open, FilterMatches(tenant, head))
    considered = polling.waiting(head.decided, heads.queue_of(head), possible)
    now = clock.now()
    begun = [current.d] if current is not None else []
    facts = Prediction(tenant, head, [*begun, *(each.deployment for each in considered)], now)
    active = facts.stored.get(current.d) if current is not None else None
    found: list[tuple[Plan, When, datetime | None]] = [] if active is None else [(active.plan, "active", None)]
    is_taken, is_held = active is not None, False
    for each in considered:
        stored = facts.stored.get(each.deployment)
        if stored is None or stored is active:
            continue
        plan, decided = stored.plan, decision.judge(stored.plan, facts, now, is_held=False)
        if decided.outcome in {Outcome.LIMIT_REACHED, Outcome.NOT_A_TARGET}:
            continue
        if decided.outcome in {Outcome.PHASE_NOT_OPEN, Outcome.PHASE_FULL}:
            found.append((plan, "phase", waiting.opens_at(stored, now)))
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

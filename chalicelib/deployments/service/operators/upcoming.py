"""Predicts which deployments a device will get, and when.

Source: ``docs/behaviour.md#next-deployments``. It decides as a poll does (``rules.decision``), and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from chalicelib import clock, limits
from chalicelib.artifacts import service as artifacts
from chalicelib.deployments.rules import decision, polling, selection
from chalicelib.deployments.rules.decision import Outcome
from chalicelib.deployments.rules.deployment import Plan
from chalicelib.deployments.service import downgrades, plans
from chalicelib.deployments.service.operators.reach import Reach
from chalicelib.deployments.service.verdicts import Verdicts
from chalicelib.deployments.shapes import Upcoming
from chalicelib.deployments.tables import counters, deployments, heads
from chalicelib.errors import NotFound
from chalicelib.features import Feature
from chalicelib.fleet import control
from chalicelib.fleet import heads as fleet_heads
from chalicelib.inventory import service as inventory

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.polling import Waiting
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
    provides = _provides(tenant, device_id)
    return [
        Upcoming(
            id=plan.id,
            name=plan.name,
            artifact_name=plan.artifact_name,
            type=plan.kind,
            created=clock.rfc3339(plan.created),
            when=when,
            opens=clock.rfc3339(opens) if opens is not None else None,
            outcome=_outcome(tenant, plan, provides),
        )
        for plan, when, opens in found
        if plan.id in stored and stored[plan.id].is_open and reach.takes(plan)
    ]


class _Facts(msgspec.Struct, frozen=True):
    """The facts of a poll's decision for a device that is known to be a target (``rules.decision.Facts``)."""

    waiting: Mapping[str, Plan]
    begun: Mapping[str, int]
    """How many devices have begun, in deployments that limit it."""

    def plan(self, waiting: Waiting) -> Plan | None:
        return self.waiting.get(waiting.deployment)

    def may_configure(self, waiting: Waiting) -> bool:
        plan = self.plan(waiting)
        return plan is not None and plan.configures

    def is_target(self, plan: Plan) -> bool:
        return plan.id in self.waiting

    def is_full(self, plan: Plan, upto: int | None) -> bool:
        return upto is not None and self.begun.get(plan.id, 0) >= upto


def _in_order(tenant: TenantId, head: Head) -> list[tuple[Plan, When, datetime | None]]:
    """The deployments for a device with ``Upcoming.when`` and ``Upcoming.opens``."""
    current = heads.current_of(head)
    active = plans.get(tenant, current.d) if current is not None else None
    found: list[tuple[Plan, When, datetime | None]] = [(active, "active", None)] if active is not None else []
    is_taken, is_held = active is not None, False
    waiting = {plan.id: plan for plan in _waiting(tenant, head) if active is None or plan.id != active.id}
    facts = _Facts(waiting, counters.read_begun(tenant, waiting.values()))
    now = clock.now()
    for plan in list(waiting.values())[: limits.UPCOMING - len(found)]:
        outcome = decision.judge(plan, facts, now, is_held=False)
        if outcome is Outcome.LIMIT_REACHED:
            continue
        if outcome.holds:
            found.append((plan, "phase", plan.phases[(decision.open_phase(plan, now) or 0) + 1].start))
            is_held = True
        elif is_taken or (is_held and not plan.configures):
            found.append((plan, "later", None))
        else:
            found.append((plan, "next", None))
            is_taken = True
    return found


def _waiting(tenant: TenantId, head: Head) -> list[Plan]:
    verdicts = Verdicts(tenant, head)
    possible = plans.possible_for(tenant, head, control.get(tenant).open, verdicts)
    waiting = polling.waiting(head.decided, heads.queue_of(head), possible)
    plans.load(tenant, (each.deployment for each in waiting))
    found = [plan for each in waiting if (plan := plans.get(tenant, each.deployment)) is not None]
    dynamic = [plan for plan in found if plan.dynamic]
    return [
        plan
        for plan in found
        if (verdicts.take(plan, dynamic) if plan.dynamic else plans.includes(tenant, plan, head.device_id))
    ]


def _provides(tenant: TenantId, device_id: str) -> dict[str, str]:
    """What the device has reported to the inventory, to predict its next poll."""
    try:
        reported = inventory.get(tenant, device_id).scope("inventory")
    except NotFound:
        return {}
    return {name: stored[0] for name, stored in reported.items() if stored and isinstance(stored[0], str)}


def _outcome(tenant: TenantId, plan: Plan, provides: dict[str, str]) -> Predicted:
    if plan.configures:
        return "update"
    if "device_type" not in provides:
        return "unknown"
    candidates = artifacts.candidates(tenant, plan.artifact_name)
    if not any(selection.runs(each, provides) for each in candidates):
        return "noartifact"
    if not plan.force and provides.get("artifact_name") == plan.artifact_name:
        return "already-installed"
    known = control.get(tenant)
    artifact = selection.choose(candidates, provides, by_dependencies=known.includes(Feature.DEPENDENCIES))
    if artifact is None:
        return "unknown"  # the inventory does not have everything that a device provides
    refuses = known.trust.downgrades == "refuse"
    is_refused = refuses and downgrades.find(tenant, known.trust, plan, artifact.id, provides) is not None
    return "noartifact" if is_refused else "update"

"""Predicts which deployments a device will get, and when.

Source: ``docs/behaviour.md#next-deployments``. It follows the steps of a poll (``service.polling``) without changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import clock, limits
from chalicelib.artifacts import service as artifacts
from chalicelib.deployments import tables
from chalicelib.deployments.rules import phases, polling, selection
from chalicelib.deployments.service import heads, plans
from chalicelib.deployments.service.reach import Reach
from chalicelib.deployments.service.verdicts import Verdicts
from chalicelib.deployments.shapes import Upcoming
from chalicelib.errors import NotFound
from chalicelib.features import Feature
from chalicelib.fleet import control
from chalicelib.fleet import heads as fleet_heads
from chalicelib.inventory import service as inventory

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.service.plans import Plan
    from chalicelib.deployments.shapes import Outcome, When
    from chalicelib.fleet.tables import DeviceHead
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
    items = tables.find_deployments(tenant, (plan.id for plan, _, _ in found))
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
        if plan.id in items and items[plan.id].is_open and reach.takes(items[plan.id])
    ]


def _in_order(tenant: TenantId, head: DeviceHead) -> list[tuple[Plan, When, datetime | None]]:
    """The deployments for a device with ``Upcoming.when`` and ``Upcoming.opens``."""
    current = heads.current_of(head)
    active = plans.get(tenant, current.d) if current is not None else None
    found: list[tuple[Plan, When, datetime | None]] = [(active, "active", None)] if active is not None else []
    is_taken, is_held = active is not None, False
    waiting = [plan for plan in _waiting(tenant, head) if active is None or plan.id != active.id]
    begun = tables.read_begun(tenant, (plan.id for plan in waiting if plan.phases or plan.most))
    now = clock.now()
    for plan in waiting[: limits.UPCOMING - len(found)]:
        if plan.most is not None and begun.get(plan.id, 0) >= plan.most:
            continue  # it has all the devices that it takes
        opens = _opens(plan, begun.get(plan.id, 0), now)
        if opens is not None:
            found.append((plan, "phase", opens))
            is_held = True
        elif is_taken or (is_held and not plan.configures):
            found.append((plan, "later", None))
        else:
            found.append((plan, "next", None))
            is_taken = True
    return found


def _waiting(tenant: TenantId, head: DeviceHead) -> list[Plan]:
    waiting = polling.waiting(head.decided, heads.queue_of(head), control.get(tenant).open)
    plans.load(tenant, (each.deployment for each in waiting))
    verdicts = Verdicts(tenant, head)
    found = [plan for each in waiting if (plan := plans.get(tenant, each.deployment)) is not None]
    dynamic = [plan for plan in found if plan.terms is not None]
    return [
        plan
        for plan in found
        if (head.device_id in plan.targets if plan.terms is None else verdicts.take(plan, dynamic))
    ]


def _opens(plan: Plan, begun: int, now: datetime) -> datetime | None:
    """When the phase opens for which the device has to wait; None: it has capacity now."""
    opened = phases.opened(plan.phases, now)
    if opened == len(plan.phases):
        return None
    upto = plan.phases[opened - 1].upto if opened else 0
    return plan.phases[opened].start if upto is not None and begun >= upto else None


def _provides(tenant: TenantId, device_id: str) -> dict[str, str]:
    """What the device has reported to the inventory, to predict its next poll."""
    try:
        reported = inventory.get(tenant, device_id).scope("inventory")
    except NotFound:
        return {}
    return {name: stored[0] for name, stored in reported.items() if stored and isinstance(stored[0], str)}


def _outcome(tenant: TenantId, plan: Plan, provides: dict[str, str]) -> Outcome:
    if plan.configures:
        return "update"
    if "device_type" not in provides:
        return "unknown"
    candidates = artifacts.candidates(tenant, plan.artifact_name)
    if not any(selection.runs(each, provides) for each in candidates):
        return "noartifact"
    if not plan.force and provides.get("artifact_name") == plan.artifact_name:
        return "already-installed"
    by_dependencies = control.get(tenant).includes(Feature.DEPENDENCIES)
    # The inventory does not have everything that a device provides.
    return "update" if selection.choose(candidates, provides, by_dependencies=by_dependencies) else "unknown"

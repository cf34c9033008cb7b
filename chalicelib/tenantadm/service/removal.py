"""Erasure of tenants: cancellation ends all tokens at once; later, or when an admin decides, the data is erased.

Marking a tenant is one transaction; from then on every call of its users and devices is refused. The schedule sends
what is due to the queue repeatedly until the tenant's own record is deleted, so neither a lost message nor an
interrupted worker leaves anything behind. The record is deleted last, and not before ``settings.removal_settle``
seconds have passed: until then a call that was accepted before the mark may still write, and the next pass finds that.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from chalicelib import clock, features, limits, settings
from chalicelib.auditlogs.service import Action
from chalicelib.aws import queues
from chalicelib.errors import BadRequest, Conflict
from chalicelib.observability import logger
from chalicelib.storage import due
from chalicelib.storage.transactions import Transaction, retried
from chalicelib.tenantadm import rules, tables
from chalicelib.tenantadm.rules import Status
from chalicelib.tenantadm.service import changes, children, lookup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm.shapes import PlanRequest
    from chalicelib.tenantadm.tables import Tenant

_TICK = 50
"""Tenants that one run of the schedule handles."""
_AGAIN = timedelta(minutes=20)
"""The time after which a removal is sent to the queue again: its worker may run for 15 minutes."""


def own_or_child(asking: TenantId, tenant: TenantId) -> Tenant:
    """The tenant itself, or a child tenant.

    Raises:
        NotFound: there is no such tenant, or it is neither.
    """
    return changes.get_tenant(tenant) if tenant == asking else children.child(asking, tenant)


def cancel(asking: TenantId, tenant: TenantId, reason: str) -> None:
    """Cancel a tenant. Its data is erased after ``settings.removal_grace`` seconds, unless it is activated before.

    Raises:
        BadRequest: the reason is missing.
        NotFound: the tenant is neither the caller's nor its child.
        Conflict: it is not active, or has children.
    """
    rules.check_reason(reason)
    own_or_child(asking, tenant)
    now = clock.now()

    def decide(before: Tenant) -> Tenant:
        if before.status is not Status.ACTIVE:
            raise Conflict("the tenant is not active")
        _without_children(before)
        removal = now + timedelta(seconds=settings.current().removal_grace)
        return replace(before, status=Status.SUSPENDED, removal=removal, notes=before.notes | {"cancel_reason": reason})

    changes.changed(tenant, decide, _due_at_removal, log=asking, action=Action.DELETE)


def request_plan(asking: TenantId, tenant: TenantId, user: str, wanted: PlanRequest) -> None:
    """Record a request for another plan or add-ons. Only the admin changes plans.

    Raises:
        BadRequest: the plan does not exist, or a text is too long.
        NotFound: the tenant is neither the caller's nor its child.
        Conflict: it is not active.
    """
    if wanted.requested_plan and wanted.requested_plan not in features.PLANS:
        raise BadRequest(f"requested_plan: must be one of {', '.join(features.PLANS)}")
    if not (wanted.requested_plan or wanted.requested_addons or wanted.user_message):
        raise BadRequest("give at least one of requested_plan, requested_addons and user_message")
    for name in ("requested_addons", "user_message"):
        if len(getattr(wanted, name)) > limits.TENANT_TEXT:
            raise BadRequest(f"{name}: must be at most {limits.TENANT_TEXT} characters long")
    own_or_child(asking, tenant)
    request = {
        "at": clock.rfc3339(clock.now()),
        "user": user,
        "plan": wanted.requested_plan,
        "addons": wanted.requested_addons,
        "message": wanted.user_message,
    }

    def decide(before: Tenant) -> Tenant:
        if before.status is not Status.ACTIVE:
            raise Conflict("the tenant is not active")
        return replace(before, notes=before.notes | {"plan_request": request})

    changes.changed(tenant, decide, log=asking)


def remove_child(provider: TenantId, tenant: TenantId, *, inactive_only: bool) -> bool:
    """Start erasing a child; False if it is active and ``inactive_only``.

    Raises:
        NotFound: it is not a child of this provider.
    """
    found = children.child(provider, tenant)
    if inactive_only and found.status is Status.ACTIVE:
        return False
    start_removal(tenant, log=provider)
    return True


def start_removal(tenant: TenantId, *, log: TenantId | None = None) -> None:
    """Mark a tenant as being removed and have its data erased. Calling it again sends the worker again.

    Args:
        tenant: the tenant.
        log: the tenant whose audit log records it; None: the tenant's own.

    Raises:
        NotFound: there is no such tenant.
        Conflict: it has children.
        Unavailable: the queue did not accept the message. The tenant is marked, and the schedule sends it again.
    """
    if changes.get_tenant(tenant).status is not Status.REMOVING:
        changes.changed(tenant, _removing, _due_at_removal, log=log, action=Action.DELETE)
    queues.send(queues.Queue.REMOVALS, queues.Removal(tenant))


def _removing(before: Tenant) -> Tenant:
    _without_children(before)
    return replace(before, status=Status.REMOVING, removal=clock.now())


def _without_children(tenant: Tenant) -> None:
    if tenant.children:
        raise Conflict(f"the tenant has {tenant.children} child tenants; remove them first")


def _due_at_removal(tx: Transaction, _before: Tenant, after: Tenant) -> None:
    tables.put_due(tx, after.id, after.removal)


def tick(now: datetime) -> None:
    """End expired trials, and send removals that are due to the queue."""
    due.work_off(tables.due(now, limit=_TICK), partial(_work_off, now=now))


def _work_off(tenant: TenantId, *, now: datetime) -> None:
    found = tables.find(tenant)
    if found is None or (found.removal is None and found.trial_expiration is None):
        tables.drop_due(tenant)
    elif found.removal is not None and found.removal <= now:
        start_removal(tenant)
        tables.postpone(tenant, now + _AGAIN)
    elif found.removal is None and found.trial_expiration is not None and found.trial_expiration <= now:
        changes.changed(tenant, _end_trial, lambda tx, _before, after: tables.put_due(tx, after.id, None))
        logger.info("a trial ended", extra={"tenant": tenant})


def _end_trial(before: Tenant) -> Tenant:
    return replace(before, status=Status.SUSPENDED) if before.status is Status.ACTIVE else before


def erase(tenant: TenantId, steps: Iterable[Callable[[TenantId], int]]) -> bool:
    """One pass over all data of a tenant that is being removed; returns whether nothing is left.

    It can be interrupted anywhere and run again, also concurrently.
    """
    found = tables.find(tenant)
    if found is None or found.status is not Status.REMOVING:
        return found is None
    erased = sum(step(tenant) for step in steps)
    settled = found.removal is not None and clock.now() >= found.removal + timedelta(
        seconds=settings.current().removal_settle
    )
    if not settled:
        logger.info("a tenant's data was erased", extra={"tenant": tenant, "items": erased})
        return False
    _erase_record(tenant)
    logger.info("a tenant was removed", extra={"tenant": tenant, "items": erased})
    return True


@retried
def _erase_record(tenant: TenantId) -> None:
    """Delete the tenant in one transaction with the return of its limits to its service provider, then its links."""
    found = tables.find(tenant)
    if found is None:
        return
    tx = Transaction()
    for hashed in (*found.old_tokens, lookup.token_hash(found.tenant_token)):
        tables.end_token(tx, tenant, hashed, None)
    children.child_is_gone(tx, found)
    tables.delete(tx, found)
    changes.commit(tx, tenant)

"""Approvals by a second person: which deployments need one, and how a deployment without one ends.

A deployment that waits for approval is stored with all that belongs to it, but is not among the tenant's open
deployments, which polls consider. So no process, whatever copies it has, serves it.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from chalicelib import actor, limits
from chalicelib.auditlogs import service as auditlogs
from chalicelib.aws import queues
from chalicelib.clock import rfc3339
from chalicelib.deployments.rules import approving
from chalicelib.deployments.rules.deployment import Approval, Person
from chalicelib.deployments.service import closing, events, mailing
from chalicelib.deployments.service.auditing import audited
from chalicelib.deployments.tables import deployments
from chalicelib.fleet import control, control_items, heads, schema
from chalicelib.storage.transactions import Transaction

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Deployment, Plan, Preparing
    from chalicelib.deployments.rules.targets import Targets
    from chalicelib.storage.keys import TenantId


def demanded(
    tenant: TenantId, plan: Plan, targets: Targets, preparing: Preparing | None, *, relative: int
) -> Approval | None:
    """The approval that a new software deployment needs; None if it needs none.

    Args:
        tenant: its tenant.
        plan: the deployment.
        targets: its fixed targets.
        preparing: how a worker lists them, if they are not listed yet.
        relative: as in ``Approval``.

    Raises:
        Conflict: it needs one, and code that does not know approvals may still run.
    """
    wanted = control.get(tenant).settings
    if not wanted.demands_approval:
        return None
    has_many = bool(wanted.approval_devices) and approving.may_exceed(plan, wanted.approval_devices)
    if not has_many and not _may_reach(tenant, frozenset(wanted.approval_groups), plan, targets, preparing):
        return None
    schema.require(control.APPROVALS_KNOWN)
    by = actor.current()
    expires = plan.created + timedelta(hours=wanted.approval_hours)
    return Approval(requested_by=Person(by.id, by.email), expires=expires, relative=relative)


def _may_reach(
    tenant: TenantId, groups: frozenset[str], plan: Plan, targets: Targets, preparing: Preparing | None
) -> bool:
    """Whether a deployment may be for a device of one of the groups."""
    if not groups or (plan.groups and plan.parent is None):
        return not groups.isdisjoint(plan.groups or ())
    # Devices that are retried may have changed their group.
    is_listed = not plan.dynamic and preparing is None and len(targets) <= limits.APPROVAL_LOOKUPS
    if not is_listed or not groups.isdisjoint(plan.groups or ()):
        return True
    return any(head.group in groups for head in heads.find_many(tenant, targets).values())


def requested(tx: Transaction, tenant: TenantId, plan: Plan, asked: Approval) -> None:
    """Add to the transaction that creates a deployment what else is stored because it needs approval."""
    if not control.get(tenant).approvals:
        control_items.note_approvals(tx, tenant)
    events.approval_requested(tx, tenant, plan, asked)
    tx.then(partial(mailing.order, queues.ApprovalNotice(tenant, plan.id)))


def refuse(
    tenant: TenantId, stored: Deployment, after: Approval, now: datetime, *, action: auditlogs.Action, text: str
) -> None:
    """Abort a deployment that waits for approval.

    Args:
        tenant: its tenant.
        stored: the deployment.
        after: the decision.
        now: the time of the decision.
        action: the action of the audit entry.
        text: its text.

    Raises:
        ConditionFailed: it does not wait any more.
    """
    tx, plan = Transaction(), stored.plan
    if after.decided_by is not None:
        events.rejected(tx, tenant, plan, after.decided_by, after.comment)
    closing.close(tx, tenant, plan, now, deployments.Ending(aborted=True, refused=after))
    auditlogs.record(tx, tenant, action, audited(plan), change=text)
    tx.commit()
    if plan.parts:
        # If this process dies before it has closed all of them, the schedule does it.
        closing.close_parts(tenant, plan)


def expire(tenant: TenantId, stored: Deployment, now: datetime) -> None:
    """Abort a deployment that nobody has approved in time."""
    if stored.approval is None:
        return
    text = f"Nobody approved it by {rfc3339(stored.approval.expires)}"
    after = replace(stored.approval, state="expired")
    refuse(tenant, stored, after, now, action=auditlogs.Action.ABORT, text=text)

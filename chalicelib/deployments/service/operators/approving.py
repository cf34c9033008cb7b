"""A second person approves or rejects a deployment (``docs/rollouts.md#a-second-person``)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from chalicelib import clock
from chalicelib.auditlogs import service as auditlogs
from chalicelib.deployments.rules import approving as rules
from chalicelib.deployments.rules import phases
from chalicelib.deployments.service import approvals, events, opening, preparing
from chalicelib.deployments.service.auditing import audited
from chalicelib.deployments.service.operators.finding import require
from chalicelib.deployments.tables import approvals as table
from chalicelib.fleet import control, control_items
from chalicelib.storage.transactions import Transaction, retried

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Approval, Deployment, Person
    from chalicelib.deployments.shapes.approval import ApprovalDecision
    from chalicelib.storage.keys import TenantId


@retried
def decide(tenant: TenantId, deployment: str, wanted: ApprovalDecision, by: Person) -> None:
    """Approve a deployment, or reject it. The same call of the same user again changes nothing.

    Raises:
        Conflict: somebody has decided already, or it does not wait for approval.
        Forbidden: the user has created the deployment.
        NotFound: there is no such deployment.
        Unprocessable: it is approved, but too many deployments are unfinished.
    """
    stored, now = require(tenant, deployment), clock.now()
    decided = rules.decided(stored, by, now, approve=wanted.approve, comment=wanted.comment)
    if decided is None:
        return
    if wanted.approve:
        _approve(tenant, stored, decided, by, now)
    else:
        text = _with_comment("Rejected", wanted.comment)
        approvals.refuse(tenant, stored, decided, now, action=auditlogs.Action.REJECT, text=text)


def _approve(tenant: TenantId, stored: Deployment, decided: Approval, by: Person, now: datetime) -> None:
    tx, plan = Transaction(), stored.plan
    events.approved(tx, tenant, plan, by, decided.comment)
    if stored.preparing is not None:
        # The worker lists the targets and then lets polls see it.
        table.approve(tx, tenant, plan, decided, opened=0, due_at=now + preparing.AGAIN)
        tx.then(partial(preparing.send, tenant, plan.id))
    else:
        # As after a preparation, its number in the order of deployments is given now.
        plan = replace(
            plan,
            sequence=control_items.next_sequence(tenant),
            phases=phases.later(plan.phases, decided.relative, now - plan.created),
        )
        opened, due_at = opening.begin(tx, tenant, plan, now)
        table.approve(tx, tenant, plan, decided, opened=opened, due_at=due_at)
        control_items.open_deployment(tx, tenant, plan.id, plan.sequence)
    auditlogs.record(
        tx, tenant, auditlogs.Action.APPROVE, audited(plan), change=_with_comment("Approved", decided.comment)
    )
    tx.commit()
    control.forget(tenant)


def _with_comment(what: str, comment: str) -> str:
    return f"{what}: {comment}" if comment else what

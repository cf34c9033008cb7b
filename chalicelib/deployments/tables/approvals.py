"""Approvals of deployments, and what is stored when polls begin to see one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.deployments.tables.items import DeploymentItem, deployment_ref, place
from chalicelib.storage import due

if TYPE_CHECKING:
    from datetime import datetime

    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action

    from chalicelib.deployments.rules.deployment import Approval, Plan
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction


def approve(
    tx: Transaction, tenant: TenantId, plan: Plan, after: Approval, *, opened: int, due_at: datetime | None
) -> None:
    """Store the approval of a deployment; fails with label ``deployment`` if it does not wait for one any more.

    Args:
        tx: the transaction in which polls begin to see the deployment, unless its targets must still be listed.
        tenant: its tenant.
        plan: the deployment, with what has changed in it.
        after: the approval.
        opened: the number of its phases that are open.
        due_at: when the schedule has to check it; None: never.
    """
    actions = [*shown(plan, opened, due_at), *decided(after)]
    tx.update(deployment_ref(tenant, plan.id), actions, waits(), label="deployment")


def shown(plan: Plan, opened: int, due_at: datetime | None) -> list[Action]:
    """The actions that store what changes when polls begin to see a deployment."""
    actions: list[Action] = [
        DeploymentItem.sequence.set(plan.sequence),
        DeploymentItem.history_sk.set(place(plan)),
        DeploymentItem.state_sk.set(place(plan)),
        DeploymentItem.opened.set(opened),
        *(due.never() if due_at is None else due.at(plan.id, due_at)),
    ]
    if plan.phases:
        actions.append(DeploymentItem.phases.set(plan.phases))
    return actions


def decided(after: Approval) -> list[Action]:
    """The actions that store a decision."""
    return [DeploymentItem.approval.set(after), DeploymentItem.waits.remove()]


def waits() -> Condition:
    """The condition that a deployment waits for approval."""
    waits: Condition = DeploymentItem.waits.exists() & DeploymentItem.finished.does_not_exist()
    return waits

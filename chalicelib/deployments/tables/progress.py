"""How far a deployment is: its rollout, its open phases, and when the schedule has to check it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.deployments.tables.items import DeploymentItem, deployment_ref
from chalicelib.storage import due

if TYPE_CHECKING:
    from datetime import datetime

    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action

    from chalicelib.deployments.rules.deployment import Deployment
    from chalicelib.deployments.rules.rollout import Progress
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction


def change(
    tx: Transaction, tenant: TenantId, seen: Deployment, after: Progress, opened: int, due_at: datetime | None
) -> None:
    """Replace how far a rollout is.

    Fails with label ``progress`` if that has changed since it was read, or the deployment has ended.

    Args:
        tx: the transaction of the change.
        tenant: the tenant of the deployment.
        seen: the deployment as it was read.
        after: the new progress, with the next revision.
        opened: the number of open phases.
        due_at: when the schedule has to check the deployment; None: never.
    """
    actions: list[Action] = [
        *written(after),
        DeploymentItem.opened.set(opened),
        *(due.never() if due_at is None else due.at(seen.id, due_at)),
    ]
    condition = _is_unchanged(seen) & DeploymentItem.pk.exists() & DeploymentItem.finished.does_not_exist()
    tx.update(deployment_ref(tenant, seen.id), actions, condition, label="progress")


def written(after: Progress) -> list[Action]:
    """The actions that store a progress with its revision."""
    return [DeploymentItem.progress.set(after), DeploymentItem.revision.set(after.revision)]


def _is_unchanged(seen: Deployment) -> Condition:
    """The condition that the progress is as it was read."""
    is_known: Condition = DeploymentItem.revision == seen.progress.revision
    return is_known if seen.progress.revision else is_known | DeploymentItem.revision.does_not_exist()


def record_opened(tx: Transaction, tenant: TenantId, seen: Deployment, opened: int, due_at: datetime | None) -> None:
    """Record the number of open phases, and when the schedule has to check the deployment again.

    Fails with label ``due`` if another run of the schedule was faster, or the deployment has ended.
    """
    actions: list[Action] = [DeploymentItem.opened.set(opened)]
    actions += due.never() if due_at is None else due.at(seen.id, due_at)
    tx.update(deployment_ref(tenant, seen.id), actions, DeploymentItem.due_sk == seen.due, label="due")


def check_again(tenant: TenantId, seen: Deployment, due_at: datetime | None) -> None:
    """Set when the schedule has to check the deployment again (None: never), unless that has changed meanwhile."""
    actions = due.never() if due_at is None else due.at(seen.id, due_at)
    deployment_ref(tenant, seen.id).update_if(actions, DeploymentItem.due_sk == seen.due)

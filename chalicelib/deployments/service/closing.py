"""The end of a deployment: it finished, or was aborted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chalicelib.artifacts import service as artifacts
from chalicelib.deployments.service import events
from chalicelib.deployments.tables import counters, deployments
from chalicelib.fleet import control_items
from chalicelib.observability import Metric, count

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Approval, Plan
    from chalicelib.deployments.rules.rollout import Progress
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction


def close(
    tx: Transaction,
    tenant: TenantId,
    plan: Plan,
    now: datetime,
    *,
    last_counter: bool = False,
    aborted: bool = False,
    stopped: Progress | None = None,
    refused: Approval | None = None,
) -> None:
    """Add the end of a deployment to a transaction: it is no longer offered, and its artifact is released.

    The arguments are those of ``tables.deployments.close``.
    """
    deployments.close(
        tx, tenant, plan, now, last_counter=last_counter, aborted=aborted, stopped=stopped, refused=refused
    )
    if aborted and not plan.parts:
        counters.close(tx, tenant, plan)
    if not plan.configures:
        artifacts.let_go(tx, tenant, plan.artifact_name)
    if not plan.on_heads:
        control_items.close_deployment(tx, tenant, plan.id)
    events.closed(tx, tenant, plan, aborted=aborted)
    tx.then(partial(count, Metric.DEPLOYMENTS_ABORTED if aborted else Metric.DEPLOYMENTS_FINISHED))


def close_parts(tenant: TenantId, plan: Plan) -> None:
    """Close the counters of a large deployment that was aborted, after which no row changes. Can be run again."""
    counters.close_parts(tenant, plan)
    deployments.checked(tenant, plan.id)

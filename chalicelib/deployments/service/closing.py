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

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.tables.deployments import Ending
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction


def close(tx: Transaction, tenant: TenantId, plan: Plan, now: datetime, ending: Ending) -> None:
    """Add the end of a deployment to a transaction: it is no longer offered, and its artifact is released."""
    deployments.close(tx, tenant, plan, now, ending)
    if ending.aborted and not plan.parts:
        counters.close(tx, tenant, plan)
    if not plan.configures:
        artifacts.let_go(tx, tenant, plan.artifact_name)
    if not plan.on_heads:
        control_items.close_deployment(tx, tenant, plan.id)
    events.closed(tx, tenant, plan, aborted=ending.aborted)
    tx.then(partial(count, Metric.DEPLOYMENTS_ABORTED if ending.aborted else Metric.DEPLOYMENTS_FINISHED))


def close_parts(tenant: TenantId, plan: Plan) -> None:
    """Close the counters of a large deployment that was aborted, after which no row changes. Can be run again."""
    counters.close_parts(tenant, plan)
    deployments.checked(tenant, plan.id)

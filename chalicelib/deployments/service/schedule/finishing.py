"""Ends large deployments with a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.deployments.service import closing
from chalicelib.deployments.tables import counters, deployments
from chalicelib.fleet import control
from chalicelib.storage.transactions import Transaction

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Deployment
    from chalicelib.storage.keys import TenantId


def finish(tenant: TenantId, deployment: Deployment, now: datetime) -> bool:
    """End a deployment with a limit if as many devices have a final status; returns whether it was ended."""
    plan = deployment.plan
    if not plan.parts or plan.most is None or counters.of(tenant, plan).ended < plan.most:
        return False
    tx = Transaction()
    closing.close(tx, tenant, plan, now, deployments.FINISHED)
    tx.commit()
    control.forget(tenant)
    return True

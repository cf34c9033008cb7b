"""Deployments on schedule. Polls decide by stored times; the schedule only records and cleans up.

The index ``due`` contains only what must be checked next, so a run costs the same for any number of tenants,
deployments and waiting devices.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from chalicelib.deployments.rules import gates
from chalicelib.deployments.rules.deployment import Deployment
from chalicelib.deployments.service import approvals, closing, opening, plans, preparing, rollouts, stopping
from chalicelib.deployments.service.schedule import finishing, timeouts
from chalicelib.deployments.tables import counters, due_items, progress, rows
from chalicelib.observability import logger
from chalicelib.storage.transactions import ConditionFailed, Transaction

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.tables.due_items import Due
    from chalicelib.storage.keys import TenantId

_AT_ONCE = 100
"""Items of each partition of the index that one run handles; the others wait a minute."""
_AGAIN = timedelta(minutes=5)
"""The time after which something that failed is tried again, so that it does not delay anything else."""


def tick(now: datetime) -> None:
    """Handle what is due. A failure of one item does not keep others from being handled."""
    for each in due_items.by(now, limit=_AT_ONCE):
        try:
            _work_off(each, now)
        except ConditionFailed:
            continue  # it has changed since: another run was faster, or the deployment ended
        except Exception:  # noqa: BLE001  # it must not keep other deployments from being handled
            logger.exception("the schedule failed on a deployment")
            _postpone(each, now)


def _work_off(each: Due, now: datetime) -> None:
    if not isinstance(each.found, Deployment):
        timeouts.end(each.tenant, each.found, now)
    elif each.found.aborted:
        closing.close_parts(each.tenant, each.found.plan)
    elif each.found.waits:
        approvals.expire(each.tenant, each.found, now)
    elif each.found.preparing is not None:
        preparing.send(each.tenant, each.found.id)
        progress.check_again(each.tenant, each.found, now + preparing.AGAIN)
    elif not finishing.finish(each.tenant, each.found, now):
        _advance(each.tenant, each.found, now)


def _advance(tenant: TenantId, deployment: Deployment, now: datetime) -> None:
    plan, before = deployment.plan, deployment.progress
    if before.settling:
        rollouts.settle(tenant, deployment, now)
        return
    after = before
    if not before.state.p and (plan.stop is not None or gates.waits_for(plan, before, now) is not None):
        counts = counters.of(tenant, plan)
        if stopping.judge(tenant, plan, counts, now):
            return
        after = gates.advanced(plan, before, counts, now)
    tx = Transaction()
    if after != before:
        after = rollouts.change(tx, tenant, deployment, after, now)
        tx.commit()
        rollouts.changed(tenant, deployment, after, now)
        return
    opened = gates.number_open(plan, before, now)
    progress.record_opened(tx, tenant, deployment, opened, opening.next_check(plan, now, before))
    for number in range(deployment.opened, opened):
        opening.phase_opened(tx, tenant, deployment.id, number)
    tx.commit()


def _postpone(each: Due, now: datetime) -> None:
    if isinstance(each.found, Deployment):
        progress.check_again(each.tenant, each.found, now + _AGAIN)
        return
    plan = plans.get(each.tenant, each.found.deployment_id)
    if plan is not None:
        rows.check_again(each.tenant, plan, each.found, now + _AGAIN)

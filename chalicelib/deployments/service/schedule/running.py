"""Deployments on schedule. Polls decide by stored times; the schedule only records and cleans up.

The index ``due`` contains only what must be checked next, so a run costs the same for any number of tenants,
deployments and waiting devices.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from chalicelib.deployments.rules import phases
from chalicelib.deployments.rules.deployment import Deployment
from chalicelib.deployments.service import changes, opening, plans, preparing
from chalicelib.deployments.service.schedule import finishing, timeouts
from chalicelib.deployments.tables import deployments, due_items, rows
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
        except Exception:  # noqa: BLE001  # one deployment's trouble is nobody else's
            logger.exception("the schedule failed on a deployment")
            _postpone(each, now)


def _work_off(each: Due, now: datetime) -> None:
    if not isinstance(each.found, Deployment):
        timeouts.end(each.tenant, each.found, now)
    elif each.found.aborted:
        changes.close_parts(each.tenant, each.found.plan)
    elif each.found.preparing is not None:
        preparing.send(each.tenant, each.found.id)
        deployments.check_again(each.tenant, each.found, now + preparing.AGAIN)
    elif not finishing.finish(each.tenant, each.found, now):
        _open_phases(each.tenant, each.found, now)


def _open_phases(tenant: TenantId, deployment: Deployment, now: datetime) -> None:
    opened = phases.opened(deployment.plan.phases, now)
    tx = Transaction()
    deployments.record_opened(tx, tenant, deployment, opened, opening.next_check(deployment.plan, now))
    for number in range(deployment.opened, opened):
        opening.phase_opened(tx, tenant, deployment.id, number)
    tx.commit()


def _postpone(each: Due, now: datetime) -> None:
    if isinstance(each.found, Deployment):
        deployments.check_again(each.tenant, each.found, now + _AGAIN)
        return
    plan = plans.get(each.tenant, each.found.deployment_id)
    if plan is not None:
        rows.check_again(each.tenant, plan, each.found, now + _AGAIN)

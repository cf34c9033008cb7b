"""Deployments on schedule. Polls decide by stored times; the schedule only records and cleans up.

The index ``due`` contains only what must be checked next, so a run costs the same for any number of tenants,
deployments and waiting devices.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from chalicelib.deployments import tables
from chalicelib.deployments.rules import phases
from chalicelib.deployments.service import events, plans, timeouts
from chalicelib.deployments.tables import DeploymentItem
from chalicelib.observability import logger
from chalicelib.storage import due, keys
from chalicelib.storage.transactions import ConditionFailed, Transaction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chalicelib.deployments.rules.phases import Phase
    from chalicelib.deployments.tables import RowItem
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Action

_AT_ONCE = 100
"""Items of each partition of the index that one run handles; the others wait a minute."""
_AGAIN = timedelta(minutes=5)
"""The time after which something that failed is tried again, so that it does not delay anything else."""


def begin(tx: Transaction, tenant: TenantId, item: DeploymentItem, planned: Sequence[Phase]) -> None:
    """Store in a new deployment when its next phase opens; phases that begin immediately are open already."""
    item.opened = phases.opened(planned, item.created)
    for number in range(item.opened):
        phase_opened(tx, tenant, item.deployment_id, number)
    if item.opened < len(planned):
        item.due_pk, item.due_sk = due.key(item.deployment_id, planned[item.opened].start)


def phase_opened(tx: Transaction, tenant: TenantId, deployment: str, number: int) -> None:
    """A phase has opened. Code that needs to know adds to this transaction, which happens exactly once per phase.

    It is up to a minute late, or as long as the schedule did not run; devices do not wait for it.
    """
    events.phase_opened(tx, tenant, deployment, number + 1)
    logger.info("phase opened", extra={"tenant": tenant, "deployment": deployment, "phase": number + 1})


def tick(now: datetime) -> None:
    """Handle what is due. A failure of one item does not keep others from being handled."""
    for item in tables.due_items(now, limit=_AT_ONCE):
        try:
            _work_off(item, now)
        except ConditionFailed:
            continue  # it has changed since: another run was faster, or the deployment ended
        except Exception:  # noqa: BLE001  # one deployment's trouble is nobody else's
            logger.exception("the schedule failed on a deployment")
            _postpone(item, now)


def _work_off(item: DeploymentItem | RowItem, now: datetime) -> None:
    tenant = keys.tenant_of(item.pk)
    if isinstance(item, DeploymentItem):
        _open_phases(tenant, item, now)
    else:
        timeouts.end(tenant, item, now)


def _open_phases(tenant: TenantId, item: DeploymentItem, now: datetime) -> None:
    planned = plans.phases_of(item)
    opened = phases.opened(planned, now)
    tx = Transaction()
    actions: list[Action] = [DeploymentItem.opened.set(opened)]
    if opened < len(planned):
        actions += due.at(item.deployment_id, planned[opened].start)
    else:
        actions += due.never()
    tx.update(
        tables.deployment_ref(tenant, item.deployment_id), actions, DeploymentItem.due_sk == item.due_sk, label="due"
    )
    for number in range(item.opened, opened):
        phase_opened(tx, tenant, item.deployment_id, number)
    tx.commit()


def _postpone(item: DeploymentItem | RowItem, now: datetime) -> None:
    item.update_if(due.at(item.deployment_id, now + _AGAIN), DeploymentItem.due_sk == item.due_sk)

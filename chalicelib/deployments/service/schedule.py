"""What time does to deployments. Polls decide by stored times; here it is only recorded, and tidied up.

The index ``due`` holds what has to be looked at next, and nothing else, so a tick costs the same for any number of
tenants, deployments and devices that wait.
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
"""Items of each part of the index that one tick works off; the rest comes a minute later."""
_AGAIN = timedelta(minutes=5)
"""When something that could not be worked off is tried again, so that it keeps nothing else from its turn."""


def begin(tx: Transaction, tenant: TenantId, item: DeploymentItem, planned: Sequence[Phase]) -> None:
    """Note on a new deployment when its next phase opens; phases that begin with it are open from the start."""
    item.opened = phases.opened(planned, item.created)
    for number in range(int(item.opened)):
        phase_opened(tx, tenant, item.deployment_id, number)
    if int(item.opened) < len(planned):
        item.due_pk, item.due_sk = due.key(item.deployment_id, planned[int(item.opened)].start)


def phase_opened(tx: Transaction, tenant: TenantId, deployment: str, number: int) -> None:
    """A phase has opened: whoever wants to know adds to the transaction that records it, exactly once for each.

    This is late by up to a minute, or by however long the schedule did not run; devices did not wait for it.
    """
    events.phase_opened(tx, tenant, deployment, number + 1)
    logger.info("phase opened", extra={"tenant": tenant, "deployment": deployment, "phase": number + 1})


def tick(now: datetime) -> None:
    """Work off what is due. What can't be worked off now keeps nothing else from it."""
    for item in tables.due_items(now, limit=_AT_ONCE):
        try:
            _work_off(item, now)
        except ConditionFailed:
            continue  # it has changed since: another tick was faster, or the deployment ended
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
    for number in range(int(item.opened), opened):
        phase_opened(tx, tenant, item.deployment_id, number)
    tx.commit()


def _postpone(item: DeploymentItem | RowItem, now: datetime) -> None:
    item.update_if(due.at(item.deployment_id, now + _AGAIN), DeploymentItem.due_sk == item.due_sk)

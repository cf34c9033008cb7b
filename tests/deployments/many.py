"""Many deployments of one tenant, written directly to the tables."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib.deployments.rules.deployment import Deployment, Plan
from chalicelib.deployments.rules.row import Row
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.tables import counters, deployments, rows
from chalicelib.fleet import control_items
from chalicelib.storage.transactions import Transaction

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

START = datetime(2026, 1, 1, tzinfo=UTC)


def plans(
    tenant: TenantId,
    number: int,
    *,
    opened: int = 0,
    shards: int = 1,
    groups: list[str] | None = None,
    named: str = "rollout {}",
) -> list[Plan]:
    """Create deployments ``rollout 0``, ``rollout 1``, ... a minute apart, in which ``device`` has succeeded.

    ``named`` is another form of their names. All but the last ``opened`` ones have ended.
    """
    made = []
    for at in range(number):
        made.append(
            plan := Plan(
                id=str(uuid.uuid4()),
                name=named.format(at),
                artifact_name="release",
                sequence=control_items.next_sequence(tenant),
                created=START + timedelta(minutes=at),
                size=shards,
                shards=shards,
                groups=groups,
                filter={"id": "", "name": "", "terms": []},
                lock=str(uuid.uuid4()),
            )
        )
        row = Row(
            deployment_id=plan.id,
            device_id="device",
            status=Status.SUCCESS,
            sequence=plan.sequence,
            created=plan.created,
            finished=plan.created,
        )
        tx = Transaction()
        deployments.create(tx, tenant, Deployment(plan=plan), complete=0, due_at=None)
        counters.create(tx, tenant, plan, [0] * shards)
        rows.put(tx, tenant, plan, row, None, replaces=False)
        tx.commit()
        if at < number - opened:
            tx = Transaction()
            deployments.close(tx, tenant, plan, plan.created, deployments.FINISHED)
            tx.commit()
    return made

"""What the schedule has to check, by time (``storage.due``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chalicelib.deployments.rules.deployment import Deployment
from chalicelib.deployments.rules.row import Row
from chalicelib.deployments.tables import deployments, rows
from chalicelib.deployments.tables.items import DeploymentItem, RowItem
from chalicelib.storage import due, keys
from chalicelib.storage.keys import TenantId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


class Due(msgspec.Struct, frozen=True):
    """A deployment or a row that the schedule has to check."""

    tenant: TenantId
    found: Deployment | Row


def by(now: datetime, *, limit: int) -> Iterator[Due]:
    """What is due by ``now``: at most ``limit`` items of each partition of the index."""
    found = list(due.found(DeploymentItem.due, now, limit=limit))
    # Read again, because the index may be behind the items.
    of_deployments = [key for key in found if key[1] == "DEPLOYMENT"]
    of_rows = [key for key in found if key[1] != "DEPLOYMENT"]
    for item in DeploymentItem.batch_get(of_deployments, consistent_read=True) if of_deployments else ():
        if _is_due(item.due_sk, now):
            yield Due(keys.tenant_of(item.pk), deployments.of_item(item))
    for row in RowItem.batch_get(of_rows, consistent_read=True) if of_rows else ():
        if _is_due(row.due_sk, now):
            yield Due(keys.tenant_of(row.pk), rows.of_item(row))


def _is_due(due_sk: str | None, now: datetime) -> bool:
    return due_sk is not None and due_sk <= keys.time(now)

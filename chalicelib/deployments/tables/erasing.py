"""Erasure of a tenant's deployments, with everything in their partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import limits
from chalicelib.deployments.tables import summaries
from chalicelib.deployments.tables.items import (
    CountsItem,
    DeploymentItem,
    DeploymentsItem,
    active_ref,
    deployment_of,
    minute_key,
    part_pk,
    tenant_history,
)
from chalicelib.storage import erasing, keys

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def erase(tenant: TenantId) -> int:
    """Erase the deployments of a removed tenant; returns the number of items."""
    count = 0
    for item in DeploymentItem.history.query(tenant_history(tenant)):
        reserved = active_ref(tenant, item.lock)
        count += erasing.rows(DeploymentsItem, [(reserved.pk, reserved.sk)])
        for share in range(limits.ROLLOUT_RATE_ITEMS if item.rollout is not None else 0):
            rate, _ = minute_key(tenant, deployment_of(item.pk), 0, share)
            count += erasing.partition(DeploymentsItem, rate)
        for part in range(item.parts or 0):
            count += erasing.partition(DeploymentsItem, part_pk(tenant, deployment_of(item.pk), part))
        count += erasing.partition(DeploymentsItem, item.pk, last="DEPLOYMENT")
    return count + summaries.erase(tenant) + erasing.partition(CountsItem, keys.partition(tenant))

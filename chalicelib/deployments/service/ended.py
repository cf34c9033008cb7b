"""The devices of a deployment that another one retries."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from chalicelib.deployments.rules.statuses import stored_for
from chalicelib.deployments.tables import counters
from chalicelib.deployments.tables import rows as row_table
from chalicelib.fleet import heads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.deployments.rules.deployment import Deployment, Retried
    from chalicelib.deployments.rules.statistics import Counts
    from chalicelib.deployments.rules.statuses import Status
    from chalicelib.storage.keys import TenantId

_AT_ONCE: Final = 1_000
"""Devices that are looked up together."""


def number(tenant: TenantId, parent: Deployment, retried: Retried) -> int:
    """The number of devices with one of the statuses, whether they still exist or not."""
    wanted = _stored(parent, retried)
    return sum(_number(counted, wanted) for counted in counters.by_part(tenant, parent.plan).values())


def devices(tenant: TenantId, parent: Deployment, retried: Retried) -> Iterator[str]:
    """The ids of the devices with one of the statuses that still exist, and are in the groups now; sorted.

    Those of a running deployment are as of now. They are read part by part, so the memory does not grow with a large
    deployment.
    """
    found = _all(tenant, parent, _stored(parent, retried))
    while batch := list(islice(found, _AT_ONCE)):
        known = heads.find_many(tenant, batch)
        for device_id in batch:
            head = known.get(device_id)
            if head is None or head.decommissioning:
                continue
            if retried.groups is None or head.group in retried.groups:
                yield device_id


def _stored(parent: Deployment, retried: Retried) -> frozenset[Status]:
    return stored_for(frozenset(retried.statuses), aborted=parent.aborted)


def _all(tenant: TenantId, parent: Deployment, wanted: frozenset[Status]) -> Iterator[str]:
    plan = parent.plan
    # A part contains a range of ids.
    for part, counted in counters.by_part(tenant, plan).items():
        count = _number(counted, wanted)
        if not count:
            continue
        statuses = [status for status in wanted if counted.by_status.get(status)]
        found = [row for status in statuses for row in row_table.with_status(tenant, plan, part, status)]
        if len({row.device_id for row in found}) != count:
            # The index by status has not caught up with the counters, or rows are changing.
            found = [row for row in row_table.of_deployment(tenant, plan, [part]) if row.status in wanted]
        yield from sorted(row.device_id for row in found)


def _number(counted: Counts, wanted: frozenset[Status]) -> int:
    return sum(counted.by_status.get(status, 0) for status in wanted)

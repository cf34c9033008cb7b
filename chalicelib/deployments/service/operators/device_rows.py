"""Reads the rows of a deployment for users."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from chalicelib import limits
from chalicelib.deployments.rules.statuses import ORDER, Status
from chalicelib.deployments.service.operators.reach import devices_within
from chalicelib.deployments.tables import counters
from chalicelib.deployments.tables import rows as row_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.rules.row import Row
    from chalicelib.deployments.rules.statistics import Counts
    from chalicelib.rights import Names
    from chalicelib.storage.keys import TenantId


def every(tenant: TenantId, plan: Plan) -> list[Row]:
    """All rows, by status (strongly consistent)."""
    return row_table.of_deployment(tenant, plan, counters.by_part(tenant, plan) if plan.parts else ())


def within(tenant: TenantId, rows: Iterable[Row], groups: Names | None) -> list[Row]:
    """Those rows whose devices are in one of the groups now."""
    found = list(rows)
    if groups is None:
        return found
    inside = devices_within(tenant, (row.device_id for row in found), groups)
    return [row for row in found if row.device_id in inside]


def between(
    tenant: TenantId, plan: Plan, stored: frozenset[Status], counts: Mapping[int, Counts], start: int, stop: int
) -> Iterator[Row]:
    """Rows ``start`` to ``stop`` with one of the stored statuses, by status. ``counts``: the counters by part."""
    # The counters give the number of rows by status and part, so whole ones before the page are not read.
    for status in ORDER:
        for part, counted in counts.items() if status in stored else ():
            count = counted.by_status.get(status, 0)
            if count and start < count and stop > 0:
                rows = row_table.with_status(tenant, plan, part, status, limit=min(stop, count))
                yield from islice(rows, max(0, start), stop)
            start, stop = start - count, stop - count


def first(
    tenant: TenantId, plan: Plan, counts: Mapping[int, Counts], status: Status, groups: Names | None
) -> list[Row]:
    """The first ``limits.OUTCOMES`` rows with a status, within the groups."""
    rows = between(tenant, plan, frozenset({status}), counts, 0, limits.OUTCOMES)
    return within(tenant, rows, groups)

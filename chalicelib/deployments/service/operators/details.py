"""One deployment, its devices, and the deployments of one device (``docs/behaviour.md#devices-of-a-deployment``)."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from chalicelib import clock
from chalicelib.cursors import Listed
from chalicelib.deployments import views
from chalicelib.deployments.rules import failures
from chalicelib.deployments.rules.statuses import Status, stored_for
from chalicelib.deployments.service import plans
from chalicelib.deployments.service.operators import device_rows, showing, sums
from chalicelib.deployments.service.operators.finding import require
from chalicelib.deployments.service.operators.reach import Reach, devices_within
from chalicelib.deployments.shapes import Deployment as Shown
from chalicelib.deployments.shapes import DeploymentDevice, DeploymentStatistics, DeviceHistory, Outcomes
from chalicelib.deployments.tables import counters, deployments
from chalicelib.deployments.tables import rows as row_table
from chalicelib.storage.settled import settled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.cursors import Cursor
    from chalicelib.deployments.rules.deployment import Deployment, Plan
    from chalicelib.deployments.rules.row import Row
    from chalicelib.rights import Names, Scopes
    from chalicelib.storage.keys import TenantId

_READ_WHOLE = 1_000
"""Up to this number of rows, all are read for a page: less than a megabyte, which is one query."""


def show(tenant: TenantId, deployment: str) -> Shown:
    """One deployment.

    Raises:
        NotFound: there is none.
    """
    stored = require(tenant, deployment)
    (shown,) = showing.show_all(tenant, [stored])
    for term in shown.filter.get("terms", ()):
        if term["type"] == "$in" and not term["value"] and not stored.plan.dynamic:
            term["value"] = list(plans.targets(tenant, stored.plan))
    return shown


def numbers(tenant: TenantId, deployment: str) -> dict[str, int]:
    """Statistics of one deployment.

    Raises:
        NotFound: there is none.
    """
    stored = require(tenant, deployment)
    return views.numbers(stored, sums.read(tenant, [stored])[deployment])


def numbers_of_many(tenant: TenantId, wanted: Iterable[str], scopes: Scopes) -> list[DeploymentStatistics]:
    """Statistics of those deployments that exist and are within the scopes."""
    found = _within(tenant, wanted, Reach(tenant, scopes))
    counts = sums.read(tenant, found.values())
    return [DeploymentStatistics(each, views.numbers(stored, counts[each])) for each, stored in found.items()]


def _within(tenant: TenantId, wanted: Iterable[str], reach: Reach) -> dict[str, Deployment]:
    found = deployments.find_many(tenant, wanted)
    return {each: stored for each, stored in found.items() if reach.takes(stored.plan)}


def targets(tenant: TenantId, deployment: str, groups: Names | None) -> list[str]:
    """Ids of a deployment's targets, fixed at its creation; for a dynamic one, the devices that have polled.

    With ``groups``, only of devices that are in one of them now.

    Raises:
        NotFound: there is no such deployment.
    """
    plan = require(tenant, deployment).plan
    found = list(plans.targets(tenant, plan))
    if plan.dynamic:
        found = [row.device_id for row in device_rows.every(tenant, plan)]
    inside = devices_within(tenant, found, groups)
    return [each for each in found if each in inside]


def devices(tenant: TenantId, deployment: str, groups: Names | None) -> list[DeploymentDevice]:
    """All devices of a deployment by status, including ``pending`` ones that have not polled yet.

    Mender's server omits the latter, as :func:`devices_page` does. Scripts watch this older list right after creating a
    deployment, so it shows all; above ``limits.INLINE_TARGETS`` only those that have polled.

    Raises:
        NotFound: there is no such deployment.
    """
    stored = require(tenant, deployment)
    rows = device_rows.within(tenant, device_rows.every(tenant, stored.plan), groups)
    shown = showing.show_rows(tenant, rows, {deployment: stored})
    if stored.plan.in_bucket or not stored.is_open:
        return shown
    waiting = devices_within(tenant, plans.targets(tenant, stored.plan), groups) - {row.id for row in shown}
    created = clock.rfc3339(stored.plan.created)
    pending = str(Status.PENDING)
    return shown + [
        DeploymentDevice(id=each, status=pending, state=pending, created=created, log=False) for each in sorted(waiting)
    ]


def devices_page(
    tenant: TenantId,
    deployment: str,
    wanted: frozenset[Status] | None,
    start: int,
    stop: int,
    groups: Names | None,
) -> tuple[list[DeploymentDevice], int]:
    """Rows ``start`` to ``stop`` of the devices that have polled, by status, and their number.

    Of all statuses, or those ``wanted``. With ``groups``, only of devices that are in one of them now: then all rows
    are read, as for small deployments. For large ones the page is read by status, and read again if it changes
    meanwhile.

    Raises:
        NotFound: there is no such deployment.
    """
    found = require(tenant, deployment)
    stored = frozenset(Status) if wanted is None else stored_for(wanted, aborted=found.aborted)
    counts = counters.by_part(tenant, found.plan)
    if groups is not None or sum(each.rows for each in counts.values()) <= _READ_WHOLE:
        every = row_table.of_deployment(tenant, found.plan, counts)
        inside = device_rows.within(tenant, (row for row in every if row.status in stored), groups)
        rows, total = inside[start:stop], len(inside)
    else:
        rows, total = settled(
            lambda: _page_by_status(tenant, found.plan, stored, start, stop),
            lambda page: ([row.device_id for row in page[0]], page[1]),
        )
    return showing.show_rows(tenant, rows, {deployment: found}), total


def _page_by_status(
    tenant: TenantId, plan: Plan, stored: frozenset[Status], start: int, stop: int
) -> tuple[list[Row], int]:
    counts = counters.by_part(tenant, plan)
    rows = {row.device_id: row for row in device_rows.between(tenant, plan, stored, counts, start, stop)}
    total = sum(each.by_status.get(status, 0) for each in counts.values() for status in stored)
    return list(rows.values()), total


def failed_for(
    tenant: TenantId, deployment: str, reason: str, start: int, stop: int, groups: Names | None
) -> tuple[list[DeploymentDevice], int]:
    """Rows ``start`` to ``stop`` of the devices that failed for a reason, given by its id or text, and their number.

    They are among the first ``limits.OUTCOMES`` devices that failed, of which :func:`outcomes` tells the reasons.

    Raises:
        NotFound: there is no such deployment.
    """
    stored = require(tenant, deployment)
    counts = counters.by_part(tenant, stored.plan)
    failed = device_rows.first(tenant, stored.plan, counts, Status.FAILURE, groups)
    rows = [row for row in failed if reason in failures.names(row)]
    return showing.show_rows(tenant, rows[start:stop], {deployment: stored}), len(rows)


def outcomes(tenant: TenantId, deployment: str, groups: Names | None) -> Outcomes:
    """Why devices failed, and when devices ended, of at most ``limits.OUTCOMES`` of each status.

    With ``groups``, only of devices that are in one of them now.

    Raises:
        NotFound: there is no such deployment.
    """
    plan = require(tenant, deployment).plan
    counts = counters.by_part(tenant, plan)

    def read(*statuses: Status) -> tuple[list[Row], int]:
        rows = [row for status in statuses for row in device_rows.first(tenant, plan, counts, status, groups)]
        if groups is not None:
            return rows, len(rows)
        counted = sum(each.by_status.get(status, 0) for each in counts.values() for status in statuses)
        return rows, max(len(rows), counted)

    failed, all_failed = read(Status.FAILURE)
    updated, all_updated = read(Status.SUCCESS, Status.ALREADY_INSTALLED)
    return Outcomes(
        failed=all_failed,
        failed_read=len(failed),
        reasons=[views.show_reason(reason) for reason in failures.grouped(failed)],
        failed_at=_ends(failed),
        updated=all_updated,
        updated_at=_ends(updated),
    )


def _ends(rows: list[Row]) -> list[str]:
    return [clock.rfc3339(time) for time in sorted(filter(None, (row.finished for row in rows)))]


def history(  # the parts of a page
    tenant: TenantId,
    device_id: str,
    wanted: frozenset[Status] | None,
    start: int,
    stop: int,
    *,
    cursor: Cursor | None = None,
    scopes: Scopes,
) -> Listed[DeviceHistory]:
    """Rows ``start`` to ``stop`` of a device's deployments within the scopes, newest first, and their number.

    They include deleted rows. With a ``cursor`` no row before the page is read, and none is counted; it is ignored if
    all rows are read anyway.
    """
    reach = Reach(tenant, scopes)
    ends = None
    if wanted is None and reach.everywhere:
        if cursor is None:
            total = row_table.count_of_device(tenant, device_id)
            rows = list(islice(row_table.of_device(tenant, device_id, limit=stop), start, stop))
        else:
            total = cursor.total
            rows = row_table.of_device_beside(tenant, device_id, cursor, stop - start)
        found = deployments.find_many(tenant, {row.deployment_id for row in rows})
        if rows:
            ends = row_table.place_of_device(rows[0]), row_table.place_of_device(rows[-1])
    else:
        rows = list(row_table.of_device(tenant, device_id))
        found = _within(tenant, {row.deployment_id for row in rows}, reach)
        rows = [
            row
            for row in rows
            if row.deployment_id in found and (wanted is None or views.effective_status(row, found) in wanted)
        ]
        total, rows = len(rows), rows[start:stop]
    shown = {each.id: each for each in showing.show_all(tenant, list(found.values()), recent=True)}
    history = [
        DeviceHistory(id=views.row_id(row), deployment=shown[row.deployment_id], device=device)
        for row, device in zip(rows, showing.show_rows(tenant, rows, found), strict=True)
        if row.deployment_id in shown
    ]
    return Listed(history, total, ends)

"""One deployment, its devices, and the deployments of one device (``docs/behaviour.md#devices-of-a-deployment``)."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from chalicelib import clock, limits
from chalicelib.deployments import tables
from chalicelib.deployments.rules import failures
from chalicelib.deployments.rules.statuses import ORDER, Status, stored_for
from chalicelib.deployments.service import plans, views
from chalicelib.deployments.service.reach import Reach, devices_within
from chalicelib.deployments.shapes import (
    Deployment,
    DeploymentDevice,
    DeploymentStatistics,
    DeviceHistory,
    FailureReason,
    Outcomes,
)
from chalicelib.errors import NotFound
from chalicelib.storage.settled import settled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chalicelib.deployments.rules.statistics import Counts
    from chalicelib.deployments.tables import DeploymentItem, RowItem
    from chalicelib.rights import Names, Scopes
    from chalicelib.storage.keys import TenantId

_NOT_FOUND = "Deployment not found"
_READ_WHOLE = 1_000
"""Up to this number of rows, all are read for a page: less than a megabyte, which is one query."""


def show(tenant: TenantId, deployment: str) -> Deployment:
    """One deployment.

    Raises:
        NotFound: there is none.
    """
    item = _require(tenant, deployment)
    shown = views.show_all([item])[0]
    for term in shown.filter.get("terms", ()):
        if term["type"] == "$in" and not term["value"] and not item.dynamic:
            term["value"] = list(plans.of(tenant, item).targets)
    return shown


def numbers(tenant: TenantId, deployment: str) -> dict[str, int]:
    """Statistics of one deployment.

    Raises:
        NotFound: there is none.
    """
    item = _require(tenant, deployment)
    return views.numbers(item, tables.read_counts([item]).get(deployment, views.NONE))


def numbers_of_many(tenant: TenantId, deployments: Iterable[str], scopes: Scopes) -> list[DeploymentStatistics]:
    """Statistics of those deployments that exist and are within the scopes."""
    items = _within(tenant, deployments, Reach(tenant, scopes))
    counts = tables.read_counts(items.values())
    return [
        DeploymentStatistics(each, views.numbers(item, counts.get(each, views.NONE))) for each, item in items.items()
    ]


def _within(tenant: TenantId, deployments: Iterable[str], reach: Reach) -> dict[str, DeploymentItem]:
    found = tables.find_deployments(tenant, deployments)
    return {each: item for each, item in found.items() if reach.takes(item)}


def targets(tenant: TenantId, deployment: str, groups: Names | None) -> list[str]:
    """Ids of a deployment's targets, fixed at its creation; for a dynamic one, the devices that have polled.

    With ``groups``, only of devices that are in one of them now.

    Raises:
        NotFound: there is no such deployment.
    """
    item = _require(tenant, deployment)
    found = list(plans.of(tenant, item).targets)
    if item.dynamic:
        found = [row.device_id for row in tables.all_rows(tenant, deployment)]
    inside = devices_within(tenant, found, groups)
    return [each for each in found if each in inside]


def devices(tenant: TenantId, deployment: str, groups: Names | None) -> list[DeploymentDevice]:
    """All devices of a deployment by status, including ``pending`` ones that have not polled yet.

    Mender's server omits the latter, as :func:`devices_page` does. Scripts watch this older list right after creating a
    deployment, so it shows all; above ``limits.INLINE_TARGETS`` only those that have polled.

    Raises:
        NotFound: there is no such deployment.
    """
    item = _require(tenant, deployment)
    rows = _rows_within(tenant, tables.all_rows(tenant, deployment), groups)
    shown = views.show_rows(tenant, rows, {deployment: item})
    if item.in_bucket or not item.is_open:
        return shown
    waiting = devices_within(tenant, plans.of(tenant, item).targets, groups) - {row.id for row in shown}
    created = clock.rfc3339(item.created)
    pending = str(Status.PENDING)
    return shown + [
        DeploymentDevice(id=each, status=pending, state=pending, created=created, log=False) for each in sorted(waiting)
    ]


def _rows_within(tenant: TenantId, rows: Iterable[RowItem], groups: Names | None) -> list[RowItem]:
    found = list(rows)
    if groups is None:
        return found
    inside = devices_within(tenant, (row.device_id for row in found), groups)
    return [row for row in found if row.device_id in inside]


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
    item = _require(tenant, deployment)
    stored = frozenset(Status) if wanted is None else stored_for(wanted, aborted=bool(item.aborted))
    if groups is not None or tables.read_counts([item]).get(deployment, views.NONE).rows <= _READ_WHOLE:
        every = (row for row in tables.all_rows(tenant, deployment) if Status(row.status) in stored)
        inside = _rows_within(tenant, every, groups)
        rows, total = inside[start:stop], len(inside)
    else:
        rows, total = settled(
            lambda: _page_by_status(tenant, item, stored, start, stop),
            lambda page: ([row.device_id for row in page[0]], page[1]),
        )
    return views.show_rows(tenant, rows, {deployment: item}), total


def _page_by_status(
    tenant: TenantId, item: DeploymentItem, stored: frozenset[Status], start: int, stop: int
) -> tuple[list[RowItem], int]:
    counts = tables.read_counts([item]).get(item.deployment_id, views.NONE)
    rows = {row.device_id: row for row in _rows_between(tenant, item.deployment_id, stored, counts, start, stop)}
    return list(rows.values()), sum(counts.by_status.get(status, 0) for status in stored)


def _rows_between(
    tenant: TenantId, deployment: str, stored: frozenset[Status], counts: Counts, start: int, stop: int
) -> Iterator[RowItem]:
    # The counters give the number of rows by status, so whole statuses before the page are not read.
    for status in ORDER:
        count = counts.by_status.get(status, 0) if status in stored else 0
        if count == 0:
            continue
        if start < count and stop > 0:
            rows = tables.list_rows(tenant, deployment, status, limit=min(stop, count))
            yield from islice(rows, max(0, start), stop)
        start, stop = start - count, stop - count


def failed_for(
    tenant: TenantId, deployment: str, reason: str, start: int, stop: int, groups: Names | None
) -> tuple[list[DeploymentDevice], int]:
    """Rows ``start`` to ``stop`` of the devices that failed for a reason, and their number.

    They are among the first ``limits.OUTCOMES`` devices that failed, of which :func:`outcomes` tells the reasons.

    Raises:
        NotFound: there is no such deployment.
    """
    item = _require(tenant, deployment)
    rows = [row for row in _first(tenant, deployment, Status.FAILURE, groups) if _reason(row) == reason]
    return views.show_rows(tenant, rows[start:stop], {deployment: item}), len(rows)


def outcomes(tenant: TenantId, deployment: str, groups: Names | None) -> Outcomes:
    """Why devices failed, and when devices ended, of at most ``limits.OUTCOMES`` of each status.

    With ``groups``, only of devices that are in one of them now.

    Raises:
        NotFound: there is no such deployment.
    """
    item = _require(tenant, deployment)
    by_status = tables.read_counts([item]).get(deployment, views.NONE).by_status

    def read(*statuses: Status) -> tuple[list[RowItem], int]:
        counted = [status for status in statuses if by_status.get(status)]
        rows = [row for status in counted for row in _first(tenant, deployment, status, groups)]
        return rows, max(len(rows), sum(by_status[status] for status in counted)) if groups is None else len(rows)

    failed, all_failed = read(Status.FAILURE)
    updated, all_updated = read(Status.SUCCESS, Status.ALREADY_INSTALLED)
    return Outcomes(
        failed=all_failed,
        failed_read=len(failed),
        reasons=[FailureReason(reason, count) for reason, count in failures.most_frequent(map(_reason, failed))],
        failed_at=_ends(failed),
        updated=all_updated,
        updated_at=_ends(updated),
    )


def _first(tenant: TenantId, deployment: str, status: Status, groups: Names | None) -> list[RowItem]:
    return _rows_within(tenant, tables.list_rows(tenant, deployment, status, limit=limits.OUTCOMES), groups)


def _reason(row: RowItem) -> str:
    return failures.reason(row.error, row.substate)


def _ends(rows: list[RowItem]) -> list[str]:
    return [clock.rfc3339(time) for time in sorted(filter(None, (row.finished for row in rows)))]


def history(
    tenant: TenantId,
    device_id: str,
    wanted: frozenset[Status] | None,
    start: int,
    stop: int,
    scopes: Scopes,
) -> tuple[list[DeviceHistory], int]:
    """Rows ``start`` to ``stop`` of a device's deployments within the scopes, newest first, and their number.

    They include deleted rows.
    """
    reach = Reach(tenant, scopes)
    if wanted is None and reach.everywhere:
        total = tables.count_rows_of_device(tenant, device_id)
        rows = list(islice(tables.rows_of_device(tenant, device_id), start, stop))
        items = tables.find_deployments(tenant, {row.deployment_id for row in rows})
    else:
        rows = list(tables.rows_of_device(tenant, device_id))
        items = _within(tenant, {row.deployment_id for row in rows}, reach)
        rows = [
            row
            for row in rows
            if row.deployment_id in items and (wanted is None or views.effective_status(row, items) in wanted)
        ]
        total, rows = len(rows), rows[start:stop]
    deployments = {each.id: each for each in views.show_all(list(items.values()))}
    shown = views.show_rows(tenant, rows, items)
    return [
        DeviceHistory(id=views.row_id(row), deployment=deployments[row.deployment_id], device=each)
        for row, each in zip(rows, shown, strict=True)
        if row.deployment_id in deployments
    ], total


def _require(tenant: TenantId, deployment: str) -> DeploymentItem:
    item = tables.find_deployment(tenant, deployment)
    if item is None:
        raise NotFound(_NOT_FOUND)
    return item

"""One deployment, its devices, and one device's deployments (behaviour notes D3, D7)."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from chalicelib import clock
from chalicelib.deployments import tables
from chalicelib.deployments.rules.statuses import ORDER, Status, stored_for
from chalicelib.deployments.service import plans, showing
from chalicelib.deployments.shapes import Deployment, DeploymentDevice, DeviceHistory
from chalicelib.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chalicelib.deployments.rules.statistics import Counts
    from chalicelib.deployments.tables import DeploymentItem, RowItem
    from chalicelib.http.paging import Page
    from chalicelib.storage.keys import TenantId

_NOT_FOUND = "Deployment not found"


def show(tenant: TenantId, deployment: str) -> Deployment:
    """One deployment.

    Raises:
        NotFound: there is none.
    """
    item = _require(tenant, deployment)
    shown = showing.show_all([item])[0]
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
    return showing.numbers(item, tables.read_counts([item]).get(deployment, showing.NONE))


def numbers_of_many(tenant: TenantId, deployments: Iterable[str]) -> list[dict[str, Any]]:
    """Statistics of those that exist, as ``{"id", "stats"}``."""
    items = tables.find_deployments(tenant, deployments)
    counts = tables.read_counts(items.values())
    return [
        {"id": each, "stats": showing.numbers(item, counts.get(each, showing.NONE))} for each, item in items.items()
    ]


def targets(tenant: TenantId, deployment: str) -> list[str]:
    """Ids of the devices that a deployment is for, as frozen at its creation; of a dynamic one, those that have asked.

    Raises:
        NotFound: there is no such deployment.
    """
    item = _require(tenant, deployment)
    if item.dynamic:
        return [row.device_id for row in tables.list_rows(tenant, deployment)]
    return list(plans.of(tenant, item).targets)


def devices(tenant: TenantId, deployment: str) -> list[DeploymentDevice]:
    """All devices of a deployment, by status; those that have not asked yet as ``pending``.

    The real server leaves the latter out, as :func:`devices_page` does. This older list is what scripts watch right
    after a deployment was made, so it names everybody; above ``limits.INLINE_TARGETS`` only who has asked.

    Raises:
        NotFound: there is no such deployment.
    """
    item = _require(tenant, deployment)
    shown = showing.show_rows(tenant, list(tables.list_rows(tenant, deployment)), {deployment: item})
    if item.in_bucket or not item.is_open:
        return shown
    asked = {row.id for row in shown}
    created = clock.rfc3339(item.created)
    return shown + [
        DeploymentDevice(id=each, status=str(Status.PENDING), created=created, log=False)
        for each in plans.of(tenant, item).targets
        if each not in asked
    ]


def devices_page(
    tenant: TenantId, deployment: str, wanted: frozenset[Status] | None, page: Page
) -> tuple[list[DeploymentDevice], int]:
    """A page of the devices that have asked so far, by status, and how many there are; all or of some statuses.

    Raises:
        NotFound: there is no such deployment.
    """
    item = _require(tenant, deployment)
    counts = tables.read_counts([item]).get(deployment, showing.NONE)
    stored = frozenset(Status) if wanted is None else stored_for(wanted, aborted=bool(item.aborted))
    total = sum(counts.by_status.get(status, 0) for status in stored)
    rows = list(_rows_between(tenant, deployment, stored, counts, page))
    return showing.show_rows(tenant, rows, {deployment: item}), total


def _rows_between(
    tenant: TenantId, deployment: str, stored: frozenset[Status], counts: Counts, page: Page
) -> Iterator[RowItem]:
    # The counters say how many rows each status has, so whole statuses before the page are not read.
    start, stop = page.start, page.stop
    for status in ORDER:
        count = counts.by_status.get(status, 0) if status in stored else 0
        if count == 0:
            continue
        if start < count and stop > 0:
            rows = tables.list_rows(tenant, deployment, status, limit=min(stop, count))
            yield from islice(rows, max(0, start), stop)
        start, stop = start - count, stop - count


def history(
    tenant: TenantId, device_id: str, wanted: frozenset[Status] | None, page: Page
) -> tuple[list[DeviceHistory], int]:
    """A page of a device's deployments, newest first, deleted rows included, and how many there are."""
    if wanted is None:
        total = tables.count_rows_of_device(tenant, device_id)
        rows = list(islice(tables.rows_of_device(tenant, device_id), page.start, page.stop))
        items = tables.find_deployments(tenant, {row.deployment_id for row in rows})
    else:
        rows = list(tables.rows_of_device(tenant, device_id))
        items = tables.find_deployments(tenant, {row.deployment_id for row in rows})
        rows = [row for row in rows if showing.effective_status(row, items) in wanted]
        total, rows = len(rows), rows[page.start : page.stop]
    deployments = {each.id: each for each in showing.show_all(list(items.values()))}
    shown = showing.show_rows(tenant, rows, items)
    return [
        DeviceHistory(id=showing.row_id(row), deployment=deployments[row.deployment_id], device=each)
        for row, each in zip(rows, shown, strict=True)
        if row.deployment_id in deployments
    ], total


def _require(tenant: TenantId, deployment: str) -> DeploymentItem:
    item = tables.find_deployment(tenant, deployment)
    if item is None:
        raise NotFound(_NOT_FOUND)
    return item

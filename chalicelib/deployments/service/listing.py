"""What operators see of deployments (behaviour notes D3, D7, D9)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from chalicelib import clock
from chalicelib.artifacts import service as artifacts
from chalicelib.deployments import tables
from chalicelib.deployments.rules import configuration, statistics
from chalicelib.deployments.rules.statistics import Counts
from chalicelib.deployments.rules.statuses import ORDER, Status, effective, stored_for
from chalicelib.deployments.service import plans
from chalicelib.deployments.shapes import Deployment, DeploymentDevice, DeviceHistory, Phase, Statistics
from chalicelib.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chalicelib.deployments.tables import DeploymentItem, RowItem
    from chalicelib.http.paging import Page
    from chalicelib.storage.keys import TenantId

_NONE = Counts(rows=0, by_status={}, total_size=0)
_NOT_FOUND = "Deployment not found"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deployments a list shows. ``status`` as shown: pending, inprogress, finished, scheduled; None: all."""

    status: str | None = None
    kind: str | None = None
    search: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    newest_first: bool = True

    @property
    def plain(self) -> bool:
        """Whether the index alone answers."""
        return self.status in {None, "finished"} and not (
            self.kind or self.search or self.created_after or self.created_before
        )


def list_deployments(tenant: TenantId, wanted: Wanted, page: Page) -> tuple[list[Deployment], int]:
    """A page of deployments by age, and how many there are."""
    is_open = None if wanted.status is None else wanted.status != "finished"
    if wanted.plain:
        total, opened = tables.read_totals(tenant)
        items = tables.list_deployments(tenant, is_open=is_open, newest_first=wanted.newest_first, limit=page.stop)
        rows = list(islice(items, page.start, page.stop))
        return _show_all(rows, recent=True), total if is_open is None else total - opened
    items = tables.list_deployments(tenant, is_open=is_open, newest_first=wanted.newest_first)
    matching = [item for item in items if _matches(item, wanted)]
    if is_open:
        counts = tables.read_counts(matching, recent=True)
        matching = [item for item in matching if _status(item, counts.get(item.deployment_id, _NONE)) == wanted.status]
    return _show_all(matching[page.start : page.stop], recent=True), len(matching)


def _matches(item: DeploymentItem, wanted: Wanted) -> bool:
    if wanted.kind and item.kind != wanted.kind:
        return False
    if wanted.search:
        words = wanted.search.lower().split()
        text = f"{item.name} {item.artifact_name}".lower()
        if not any(word in text for word in words):
            return False
    # The bounds are whole seconds, and inclusive.
    created = item.created.replace(microsecond=0)
    if wanted.created_after and created < wanted.created_after:
        return False
    return not (wanted.created_before and created > wanted.created_before)


def show(tenant: TenantId, deployment: str) -> Deployment:
    """One deployment.

    Raises:
        NotFound: there is none.
    """
    item = _require(tenant, deployment)
    shown = _show_all([item])[0]
    for term in shown.filter.get("terms", ()):
        if term["type"] == "$in" and not term["value"]:
            term["value"] = list(plans.of(tenant, item).targets)
    return shown


def numbers(tenant: TenantId, deployment: str) -> dict[str, int]:
    """Statistics of one deployment.

    Raises:
        NotFound: there is none.
    """
    item = _require(tenant, deployment)
    return _numbers(item, tables.read_counts([item]).get(deployment, _NONE))


def numbers_of_many(tenant: TenantId, deployments: Iterable[str]) -> list[dict[str, Any]]:
    """Statistics of those that exist, as ``{"id", "stats"}``."""
    items = tables.find_deployments(tenant, deployments)
    counts = tables.read_counts(items.values())
    return [{"id": each, "stats": _numbers(item, counts.get(each, _NONE))} for each, item in items.items()]


def targets(tenant: TenantId, deployment: str) -> list[str]:
    """Ids of the devices that a deployment is for, as frozen at its creation.

    Raises:
        NotFound: there is no such deployment.
    """
    return list(plans.of(tenant, _require(tenant, deployment)).targets)


def devices(tenant: TenantId, deployment: str) -> list[DeploymentDevice]:
    """All devices of a deployment, by status; those that have not asked yet as ``pending``.

    The real server leaves the latter out, as :func:`devices_page` does. This older list is what scripts watch right
    after a deployment was made, so it names everybody; above ``limits.INLINE_TARGETS`` only who has asked.

    Raises:
        NotFound: there is no such deployment.
    """
    item = _require(tenant, deployment)
    shown = _show_rows(tenant, list(tables.list_rows(tenant, deployment)), {deployment: item})
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
    counts = tables.read_counts([item]).get(deployment, _NONE)
    stored = frozenset(Status) if wanted is None else stored_for(wanted, aborted=bool(item.aborted))
    total = sum(counts.by_status.get(status, 0) for status in stored)
    rows = list(_rows_between(tenant, deployment, stored, counts, page))
    return _show_rows(tenant, rows, {deployment: item}), total


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
        rows = [row for row in rows if _effective(row, items) in wanted]
        total, rows = len(rows), rows[page.start : page.stop]
    deployments = {each.id: each for each in _show_all(list(items.values()))}
    shown = _show_rows(tenant, rows, items)
    return [
        DeviceHistory(id=_row_id(row), deployment=deployments[row.deployment_id], device=each)
        for row, each in zip(rows, shown, strict=True)
        if row.deployment_id in deployments
    ], total


def open_by_release(tenant: TenantId, names: Iterable[str]) -> list[str]:
    """Ids of the unfinished deployments of any of these releases."""
    wanted = set(names)
    items = tables.list_deployments(tenant, is_open=True, newest_first=False)
    return [item.deployment_id for item in items if item.artifact_name in wanted]


def _require(tenant: TenantId, deployment: str) -> DeploymentItem:
    item = tables.find_deployment(tenant, deployment)
    if item is None:
        raise NotFound(_NOT_FOUND)
    return item


def _numbers(item: DeploymentItem, counts: Counts) -> dict[str, int]:
    return statistics.shown(counts, targets=int(item.targets), aborted=bool(item.aborted))


def _show_all(items: list[DeploymentItem], *, recent: bool = False) -> list[Deployment]:
    """``recent`` for lists: the index they come from is a moment behind anyway."""
    counts = tables.read_counts(items, recent=recent)
    configurations = tables.read_configurations(items)
    return [
        _show(item, counts.get(item.deployment_id, _NONE), configurations.get(item.deployment_id)) for item in items
    ]


def _status(item: DeploymentItem, counts: Counts) -> str:
    planned = plans.phases_of(item)
    scheduled = bool(planned) and planned[0].start > clock.now()
    return statistics.status(counts, finished=not item.is_open, scheduled=scheduled)


def _show_phases(item: DeploymentItem, counts: Counts) -> list[Phase] | None:
    return [
        Phase(
            id=_phase_id(item.deployment_id, index),
            start_ts=clock.rfc3339(phase.start),
            device_count=counts.phases[index] if counts.phases else 0,
            batch_size=phase.percent,
            batch_size_devices=phase.devices,
        )
        for index, phase in enumerate(plans.phases_of(item))
    ] or None


def _phase_id(deployment: str, index: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{deployment}/phase/{index}"))


def _phase_of(row: RowItem) -> str | None:
    index = cast("float | None", row.phase)
    return None if index is None else _phase_id(row.deployment_id, int(index))


def _show(item: DeploymentItem, counts: Counts, configured: dict[str, str] | None) -> Deployment:
    return Deployment(
        id=item.deployment_id,
        name=item.name,
        artifact_name=item.artifact_name,
        created=clock.rfc3339(item.created),
        finished=_time(item.finished),
        status=_status(item, counts),
        device_count=counts.rows,
        max_devices=int(item.targets),
        artifacts=item.artifacts,
        statistics=Statistics(status=_numbers(item, counts), total_size=counts.total_size),
        type=item.kind,
        filter=item.filter,
        groups=item.groups,
        force_installation=bool(item.force),
        retries=int(item.retries),
        phases=_show_phases(item, counts),
        configuration=None if configured is None else configuration.hinted(configured),
    )


def _time(time: datetime | None) -> str | None:
    return None if time is None else clock.rfc3339(time)


def _row_id(row: RowItem) -> str:
    """The id that Mender gives a row; ours are addressed by deployment and device, so it is made of those."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{row.deployment_id}/{row.device_id}"))


def _effective(row: RowItem, items: dict[str, DeploymentItem]) -> Status:
    item = items.get(row.deployment_id)
    return effective(Status(row.status), aborted=item is not None and bool(item.aborted))


def _show_rows(tenant: TenantId, rows: list[RowItem], items: dict[str, DeploymentItem]) -> list[DeploymentDevice]:
    images = artifacts.shown(tenant, {row.artifact for row in rows if row.artifact})
    return [_show_row(row, items, images) for row in rows]


def _show_row(row: RowItem, items: dict[str, DeploymentItem], images: dict[str, Any]) -> DeploymentDevice:
    status = _effective(row, items)
    # A row that an abort ended was not touched: it ended with its deployment.
    ended = items[row.deployment_id] if status is Status.ABORTED and row.status != status else row
    return DeploymentDevice(
        id=row.device_id,
        status=str(status),
        created=clock.rfc3339(row.created),
        log=bool(row.log),
        started=_time(row.started),
        finished=_time(ended.finished),
        deleted=_time(row.deleted),
        substate=row.substate,
        image=images.get(row.artifact) if row.artifact else None,
        attempts=int(row.attempts),
        phase_id=_phase_of(row),
    )

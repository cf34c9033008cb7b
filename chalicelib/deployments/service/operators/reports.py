"""The report of a deployment, and the export of its devices (``docs/rollouts.md#report``)."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from chalicelib import clock, limits
from chalicelib.deployments import views
from chalicelib.deployments.rules import exports, failures, reports, statistics
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service.operators import device_rows
from chalicelib.deployments.service.operators.finding import require
from chalicelib.deployments.shapes import Report
from chalicelib.deployments.tables import counters
from chalicelib.deployments.tables import rows as row_table
from chalicelib.fleet.parts import part_of
from chalicelib.storage.parallel import in_parallel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.rules.row import Row
    from chalicelib.deployments.rules.statistics import Counts
    from chalicelib.rights import Names
    from chalicelib.storage.keys import TenantId


def report(tenant: TenantId, deployment: str, groups: Names | None) -> Report:
    """The course and the results of a deployment, from at most ``limits.REPORT_DEVICES`` of its devices.

    With ``groups``, from those that are in one of them now, which then count as all of its devices.

    Raises:
        NotFound: there is no such deployment.
    """
    stored = require(tenant, deployment)
    plan, counts = stored.plan, counters.by_part(tenant, stored.plan)
    rows, complete = _sample(tenant, plan, counts)
    read = len(rows)
    rows = device_rows.within(tenant, rows, groups)
    now = clock.now()
    courses = [reports.course(row, stored, now) for row in rows]
    failed = device_rows.first(tenant, plan, counts, Status.FAILURE, groups)
    total = max(read, sum(each.rows for each in counts.values())) if groups is None else len(rows)
    targets = total if plan.dynamic or groups is not None else max(plan.size, total)
    start = reports.start(stored)
    since = start.timestamp()
    step, points = reports.progress(courses, since)
    summed = statistics.total(counts.values())
    return Report(
        id=plan.id,
        name=plan.name,
        artifact_name=plan.artifact_name,
        status=views.status(stored, summed, now),
        created=clock.rfc3339(plan.created),
        start=clock.rfc3339(start),
        finished=None if stored.finished is None else clock.rfc3339(stored.finished),
        targets=targets,
        devices=total,
        devices_read=len(rows),
        complete=complete,
        statistics=views.numbers(stored, summed),
        # Of a sample, as many targets as of the devices that have polled.
        finished_after=reports.finished_after(reports.ends(courses), since, -(-targets * len(rows) // max(1, total))),
        step_seconds=step,
        progress=[views.show_point(point) for point in points],
        phases=reports.by_phase(courses, stored),
        artifacts=reports.by_artifact(courses, since),
        device_types=reports.by_device_type(courses, since),
        failures=[views.show_reason(each) for each in failures.grouped(failed)[: limits.REPORT_PARTS]],
        failures_read=len(failed),
    )


def report_table(tenant: TenantId, deployment: str, groups: Names | None) -> str:
    """The same as a table (CSV)."""
    return exports.report_table(report(tenant, deployment, groups))


def _sample(tenant: TenantId, plan: Plan, counts: Mapping[int, Counts]) -> tuple[list[Row], bool]:
    """The rows of a report, and whether they are all: the first by id, and of a large deployment whole parts of it.

    Both are random samples, since ids are random.
    """
    most = limits.REPORT_DEVICES
    chosen, expected = [], 0
    for part, counted in counts.items():
        if expected < most:
            chosen.append(part)
        expected += counted.rows
    found = in_parallel(lambda part: list(row_table.by_device(tenant, plan, part, limit=most + 1, recent=True)), chosen)
    rows = [row for each in found for row in each]
    return rows[:most], len(rows) <= most and len(chosen) == len(counts)


def export(
    tenant: TenantId, deployment: str, after: str, most: int, size: int, groups: Names | None, *, as_table: bool
) -> tuple[str, str | None]:
    """The devices that have polled for a deployment, by id, as lines of a file; and where the next part begins.

    Args:
        tenant: the deployment's tenant.
        deployment: the deployment.
        after: the device after which this part begins, as an earlier call returned it; empty: at the first one.
        most: the maximum number of devices.
        size: bytes of a function's answer that the lines may take.
        groups: export only devices that are in one of them now; None: all.
        as_table: as a CSV file, whose first part begins with its columns; otherwise as a JSON document in each line.

    Raises:
        NotFound: there is no such deployment.
    """
    stored = require(tenant, deployment)
    rows = list(islice(_rows_after(tenant, stored.plan, after, most + 1), most + 1))
    shown = [views.export_row(row, {deployment: stored}) for row in device_rows.within(tenant, rows[:most], groups)]
    line = exports.device_as_cells if as_table else exports.device_as_json
    lines = exports.fitting([line(each) for each in shown], size)
    follows = rows[most - 1].device_id if len(rows) > most else None
    if len(lines) < len(shown):
        follows = shown[len(lines) - 1].id
    head = exports.table([exports.DEVICES]) if as_table and not after else ""
    return head + "".join(lines), follows


def _rows_after(tenant: TenantId, plan: Plan, after: str, most: int) -> Iterator[Row]:
    """The rows of a deployment by device; of the parts of a large one that have any, one after the other."""
    first = part_of(after, plan.parts) if after and plan.parts else 0
    for part in counters.by_part(tenant, plan):
        if part >= first:
            beyond = after if part == first else ""
            yield from row_table.by_device(tenant, plan, part, after=beyond, limit=most)

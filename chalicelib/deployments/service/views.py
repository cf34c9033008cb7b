"""Converts stored deployments and device rows to the wire format.

Sources: ``docs/behaviour.md#statuses-of-deployments`` and ``docs/behaviour.md#devices-of-a-deployment``.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, cast

from chalicelib import clock
from chalicelib.artifacts import service as artifacts
from chalicelib.deployments import tables
from chalicelib.deployments.rules import configuration, failures, statistics
from chalicelib.deployments.rules.statistics import Counts
from chalicelib.deployments.rules.statuses import Status, effective
from chalicelib.deployments.service import plans
from chalicelib.deployments.shapes import Deployment, DeploymentDevice, Phase, Statistics

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.tables import DeploymentItem, RowItem
    from chalicelib.storage.keys import TenantId

NONE = Counts(rows=0, by_status={}, total_size=0)


def numbers(item: DeploymentItem, counts: Counts) -> dict[str, int]:
    """Statistics of a deployment."""
    return statistics.shown(counts, targets=item.targets, aborted=bool(item.aborted))


def show_all(items: list[DeploymentItem], *, recent: bool = False) -> list[Deployment]:
    """Deployments; ``recent`` is for lists, whose index is eventually consistent anyway."""
    counts = tables.read_counts(items, recent=recent)
    configurations = tables.read_configurations(items)
    return [_show(item, counts.get(item.deployment_id, NONE), configurations.get(item.deployment_id)) for item in items]


def status(item: DeploymentItem, counts: Counts) -> str:
    """The status of a deployment."""
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
        status=status(item, counts),
        device_count=counts.rows,
        max_devices=item.targets,
        artifacts=item.artifacts,
        statistics=Statistics(status=numbers(item, counts), total_size=counts.total_size),
        type=item.kind,
        filter=item.filter,
        groups=item.groups,
        force_installation=bool(item.force),
        retries=item.retries,
        phases=_show_phases(item, counts),
        configuration=None if configured is None else configuration.hinted(configured),
        update_control_map=item.control_map,
        dynamic=bool(item.dynamic),
        initial_device_count=item.initial if item.dynamic else None,
    )


def _time(time: datetime | None) -> str | None:
    return None if time is None else clock.rfc3339(time)


def row_id(row: RowItem) -> str:
    """The id of a row in the wire format, made of deployment and device, which identify rows here."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{row.deployment_id}/{row.device_id}"))


def effective_status(row: RowItem, items: dict[str, DeploymentItem]) -> Status:
    """The status of a row, which depends on its deployment if that was aborted."""
    item = items.get(row.deployment_id)
    return effective(Status(row.status), aborted=item is not None and bool(item.aborted))


def show_rows(tenant: TenantId, rows: list[RowItem], items: dict[str, DeploymentItem]) -> list[DeploymentDevice]:
    """Rows of these deployments."""
    images = artifacts.shown(tenant, {row.artifact for row in rows if row.artifact})
    return [_show_row(row, items, images) for row in rows]


def _show_row(row: RowItem, items: dict[str, DeploymentItem], images: dict[str, Any]) -> DeploymentDevice:
    status = effective_status(row, items)
    # An abort does not change rows: the row ended with its deployment.
    ended = items[row.deployment_id] if status is Status.ABORTED and row.status != status else row
    return DeploymentDevice(
        id=row.device_id,
        status=str(status),
        state=str(status),
        created=clock.rfc3339(row.created),
        log=bool(row.log),
        started=_time(row.started),
        finished=_time(ended.finished),
        deleted=_time(row.deleted),
        substate=row.substate,
        image=images.get(row.artifact) if row.artifact else None,
        attempts=row.attempts,
        phase_id=_phase_of(row),
        device_type=row.device_type,
        reason=failures.reason(row.error, row.substate) if status is Status.FAILURE else None,
    )

"""Converts stored deployments and device rows to the wire format.

Sources: ``docs/behaviour.md#statuses-of-deployments`` and ``docs/behaviour.md#devices-of-a-deployment``.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Literal

from chalicelib.clock import rfc3339
from chalicelib.deployments.rules import configuration, failures, gates, statistics, waiting
from chalicelib.deployments.rules.statuses import Status, effective
from chalicelib.deployments.shapes import Deployment as Shown
from chalicelib.deployments.shapes import (
    DeploymentDevice,
    ExportedDevice,
    FailureReason,
    Phase,
    Preparation,
    ReportPoint,
    Statistics,
)
from chalicelib.deployments.shapes.approval import Approval as ShownApproval
from chalicelib.deployments.shapes.approval import ApprovalPerson
from chalicelib.deployments.shapes.rollout import RolloutPause, RolloutStatus, RolloutWait

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Deployment
    from chalicelib.deployments.rules.failures import Reason
    from chalicelib.deployments.rules.reports import Point
    from chalicelib.deployments.rules.rollout import Pause
    from chalicelib.deployments.rules.row import Row
    from chalicelib.deployments.rules.statistics import Counts
    from chalicelib.deployments.rules.waiting import Wait


def numbers(deployment: Deployment, counts: Counts) -> dict[str, int]:
    """Statistics of a deployment."""
    return statistics.shown(counts, targets=deployment.plan.size, aborted=deployment.aborted)


def status(deployment: Deployment, counts: Counts, now: datetime) -> str:
    """The status of a deployment."""
    plan = deployment.plan
    is_early = bool(plan.phases) and not gates.number_open(plan, deployment.progress, now)
    scheduled = deployment.waits or is_early
    return statistics.status(counts, finished=not deployment.is_open, scheduled=scheduled)


def show(deployment: Deployment, counts: Counts, configured: Mapping[str, str] | None, now: datetime) -> Shown:
    """A deployment. ``configured``: the configuration that it brings."""
    plan, prepared = deployment.plan, deployment.preparing
    return Shown(
        id=plan.id,
        name=plan.name,
        artifact_name=plan.artifact_name,
        created=rfc3339(plan.created),
        finished=_time(deployment.finished),
        status=status(deployment, counts, now),
        device_count=counts.rows,
        max_devices=plan.size,
        artifacts=plan.artifacts,
        statistics=Statistics(status=numbers(deployment, counts), total_size=counts.total_size),
        type=plan.kind,
        filter=dict(plan.filter),
        groups=plan.groups,
        force_installation=plan.force,
        retries=plan.retries,
        phases=_phases(deployment, counts),
        configuration=None if configured is None else configuration.hinted(configured),
        update_control_map=deployment.control_map,
        dynamic=plan.dynamic,
        initial_device_count=plan.initial if plan.dynamic else None,
        preparing=None if prepared is None else Preparation(prepared.found, prepared.expected),
        approval=_approval(deployment),
        parent=plan.parent,
        retried_by=list(deployment.retried_by) or None,
        rollout=_rollout(deployment, counts, now),
    )


def _approval(deployment: Deployment) -> ShownApproval | None:
    found = deployment.approval
    if found is None:
        return None
    by = found.decided_by
    return ShownApproval(
        state="ended" if found.state == "waiting" and not deployment.waits else found.state,
        requested_by=ApprovalPerson(found.requested_by.id, found.requested_by.email),
        requested_at=rfc3339(deployment.plan.created),
        expires=rfc3339(found.expires),
        decided_by=None if by is None else ApprovalPerson(by.id, by.email),
        decided_at=_time(found.decided_at),
        comment=found.comment or None,
    )


def _rollout(deployment: Deployment, counts: Counts, now: datetime) -> RolloutStatus | None:
    plan, progress = deployment.plan, deployment.progress
    if plan.rollout is None and not progress.revision:
        return None
    pause = progress.pause
    is_stopped = pause is not None and pause.by == "failures"
    state: Literal["running", "paused", "stopped", "ended"] = "running" if deployment.is_open else "ended"
    if pause is not None:
        state = "stopped" if is_stopped else "paused" if deployment.is_open else "ended"
    opened = 0 if deployment.waits else gates.number_open(plan, progress, now)
    return RolloutStatus(
        state=state,
        settings=plan.rollout,
        opened=opened if plan.phases else None,
        waits=_wait(waiting.for_next_phase(deployment, counts, now)),
        pause=None if pause is None else _pause(pause),
    )


def _wait(wait: Wait | None) -> RolloutWait | None:
    if wait is None:
        return None
    found = wait.reached
    return RolloutWait(
        phase=wait.phase + 1,
        reason=wait.reason,
        opens=_time(wait.opens),
        began=found.began if found else None,
        needed=found.needed if found else None,
        succeeded=found.succeeded if found else None,
        failed=found.failed if found else None,
        reached=_time(wait.since),
    )


def _pause(pause: Pause) -> RolloutPause:
    counted = pause.by == "failures"
    return RolloutPause(
        at=rfc3339(pause.at),
        reason=pause.reason,
        failures=pause.failures if counted else None,
        reports=pause.reports if counted else None,
        phase=None if pause.phase is None else pause.phase + 1,
        devices=pause.devices,
    )


def show_point(point: Point) -> ReportPoint:
    """A point in the course of a deployment."""
    return ReportPoint(rfc3339(point.time), point.begun, point.succeeded, point.failed, point.other)


def export_row(row: Row, deployments: Mapping[str, Deployment]) -> ExportedDevice:
    """A row of one of these deployments in an export."""
    shown = show_row(row, deployments, {})
    failed = shown.reason is not None
    return ExportedDevice(
        id=shown.id,
        status=shown.status,
        started=shown.started,
        finished=shown.finished,
        phase=None if row.phase is None else row.phase + 1,
        attempts=row.attempts,
        device_type=row.device_type,
        artifact=row.artifact,
        substate=row.substate,
        error=row.error,
        reason=shown.reason,
        reason_id=failures.reason_id(row.error, row.substate) if failed else None,
        log=row.log,
        downgrade=row.downgrade,
    )


def _phases(deployment: Deployment, counts: Counts) -> list[Phase] | None:
    return [
        Phase(
            id=_phase_id(deployment.id, index),
            start_ts=rfc3339(deployment.progress.state.start_of(phase)),
            device_count=counts.phases[index] if counts.phases else 0,
            batch_size=phase.percent,
            batch_size_devices=phase.devices,
        )
        for index, phase in enumerate(deployment.plan.phases)
    ] or None


def _phase_id(deployment: str, index: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{deployment}/phase/{index}"))


def _time(time: datetime | None) -> str | None:
    return None if time is None else rfc3339(time)


def row_id(row: Row) -> str:
    """The id of a row in the wire format, made of deployment and device, which identify rows here."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{row.deployment_id}/{row.device_id}"))


def effective_status(row: Row, deployments: Mapping[str, Deployment]) -> Status:
    """The status of a row, which depends on its deployment if that was aborted."""
    deployment = deployments.get(row.deployment_id)
    return effective(row.status, aborted=deployment is not None and deployment.aborted)


def show_reason(reason: Reason) -> FailureReason:
    """A reason of failed devices."""
    return FailureReason(
        id=reason.id,
        reason=reason.text,
        count=reason.count,
        devices=list(reason.devices),
        state=reason.state,
        example=reason.example,
        artifacts=list(reason.artifacts) or None,
    )


def show_row(row: Row, deployments: Mapping[str, Deployment], images: Mapping[str, Any]) -> DeploymentDevice:
    """A row of one of these deployments. ``images``: artifacts by id, in the wire format."""
    status = effective_status(row, deployments)
    # An abort does not change rows: the row ended with its deployment.
    ended = row.finished
    if status is Status.ABORTED and row.status is not status:
        ended = deployments[row.deployment_id].finished
    return DeploymentDevice(
        id=row.device_id,
        status=str(status),
        state=str(status),
        created=rfc3339(row.created),
        log=row.log,
        started=_time(row.started),
        finished=_time(ended),
        deleted=_time(row.deleted),
        substate=row.substate,
        image=images.get(row.artifact) if row.artifact else None,
        attempts=row.attempts,
        phase_id=None if row.phase is None else _phase_id(row.deployment_id, row.phase),
        device_type=row.device_type,
        reason=failures.reason(row.error, row.substate) if status is Status.FAILURE else None,
        downgrade=row.downgrade,
    )

"""Status reports and logs that devices send for a deployment.

Sources: ``docs/behaviour.md#device-statuses`` and ``docs/behaviour.md#deployment-logs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from chalicelib import clock, times
from chalicelib.aws import s3
from chalicelib.deployments.rules import failures
from chalicelib.deployments.rules.row import NOTHING, Edit
from chalicelib.deployments.rules.statuses import REPORTABLE, WITHDRAWN, Status, effective
from chalicelib.deployments.service import beginning, changes, plans, silence
from chalicelib.deployments.service.changes import ATTEMPTS, Change, Lost, Withdrawn
from chalicelib.deployments.tables import deployments, heads, rows
from chalicelib.errors import BadRequest, Conflict, NotFound, Unavailable
from chalicelib.fleet import control
from chalicelib.fleet import heads as fleet_heads
from chalicelib.observability import Metric, count

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.rules.polling import Current
    from chalicelib.deployments.shapes.devices import LogMessage, StatusReport
    from chalicelib.deployments.tables.heads import HeadChange
    from chalicelib.fleet.head import Head
    from chalicelib.storage.keys import TenantId

_GONE = "Deployment not found"
_COUNTED = {
    Status.ALREADY_INSTALLED: Metric.REPORTS_ALREADY_INSTALLED,
    Status.FAILURE: Metric.REPORTS_FAILURE,
    Status.SUCCESS: Metric.REPORTS_SUCCESS,
}


def report(tenant: TenantId, head: Head, deployment: str, said: StatusReport) -> None:
    """Store a status report. Any reportable status may follow any other, and repeating one has no effect.

    Raises:
        BadRequest: it is not a status that a device may report.
        NotFound: the device has no row in that deployment.
        Conflict: the deployment was aborted, or the device decommissioned: the device must stop.
    """
    try:
        status = Status(said.status)
    except ValueError:
        status = Status.PENDING
    if status not in REPORTABLE:
        raise BadRequest(f"unknown status value: {said.status[:64]}")
    device_id = head.device_id
    for _ in range(ATTEMPTS):
        try:
            current = heads.current_of(head)
            if current is not None and current.d == deployment:
                _report_current(tenant, head, current, status, said.substate)
            else:
                _report_other(tenant, head, deployment, status, said.substate)
        except Withdrawn:
            control.forget(tenant)
            raise Conflict(WITHDRAWN[Status.ABORTED]) from None
        except Lost:
            again = fleet_heads.find(tenant, device_id)
            if again is None:
                raise NotFound(_GONE) from None
            head = again
        else:
            return
    raise Unavailable


def _report_current(tenant: TenantId, head: Head, current: Current, status: Status, substate: str | None) -> None:
    plan = plans.get(tenant, current.d)
    if plan is None:
        raise NotFound(_GONE)
    before, now = Status(current.s), clock.now()
    # Clients repeat a failure before each attempt to send its log; that must not use up another attempt.
    repeated_failure = status is Status.FAILURE and before is Status.PENDING and current.n > 1 and current.r is None
    if status is before or repeated_failure:
        _require_open(tenant, current)
        # Nothing has changed, but the device is alive.
        rows.edit(tenant, plan, head.device_id, replace(silence.noted(tenant, before, now), substate=substate))
        return
    again = status is Status.FAILURE and current.n <= plan.retries
    if again:
        # An attempt is left: the device gets this deployment again.
        status = Status.PENDING
    if status.final:
        head_change = heads.changed(head, current=None, decided=current.decides)
    else:
        head_change = heads.changed(head, current=_moved(current, status, again=again))
    edit = _edit(tenant, status, substate, now)
    if again:
        edit = replace(edit, attempts=current.n + 1)
    _commit(tenant, plan, before, status, edit, head_change, now, phase=current.p)


def _moved(current: Current, status: Status, *, again: bool) -> Current:
    if again:
        return replace(current, s=status, r=None, n=current.n + 1)
    return replace(current, s=status)


def _require_open(tenant: TenantId, current: Current) -> None:
    """A report that changes nothing must still tell the device that its deployment was aborted."""
    if not current.h and current.d in control.get(tenant).open:
        return
    stored = deployments.find(tenant, current.d)
    if stored is None or stored.aborted:
        raise Conflict(WITHDRAWN[Status.ABORTED])


def _report_other(tenant: TenantId, head: Head, deployment: str, status: Status, substate: str | None) -> None:
    """A report for a row other than the active one: late, repeated, or a correction."""
    plan = plans.get(tenant, deployment)
    row = rows.find(tenant, plan, head.device_id) if plan is not None else None
    stored = deployments.find(tenant, deployment) if row is not None else None
    if plan is None or row is None or stored is None:
        raise NotFound(_GONE)
    before, now = effective(row.status, aborted=stored.aborted), clock.now()
    if before in WITHDRAWN:
        raise Conflict(WITHDRAWN[before])
    if status is before:
        alive = NOTHING if before.final else silence.noted(tenant, before, now)
        rows.edit(tenant, plan, head.device_id, replace(alive, substate=substate))
        return
    if not status.final and not stored.is_open:
        return  # out of order: a finished deployment is not taken up again
    current = heads.current_of(head)
    if current is None and not status.final:
        # The device resumes a row that it had finished, so its polls must serve it.
        current = beginning.resumed(plan, row, status)
    edit = _edit(tenant, status, substate, now)
    if substate is None and silence.is_timeout(row.substate):
        edit = replace(edit, forget_substate=True)  # it was not silent for good
    # The head is written even if it is unchanged: if this row were resumed meanwhile, both would disagree for ever.
    _commit(tenant, plan, before, status, edit, heads.changed(head, current=current), now, phase=row.phase)


def _edit(tenant: TenantId, status: Status, substate: str | None, now: datetime) -> Edit:
    """The changes of a row that come with a new status."""
    return replace(
        silence.noted(tenant, status, now),
        started=None if status is Status.PENDING else now,
        finished=now if status.final else None,
        substate=substate,
    )


def _commit(
    tenant: TenantId,
    plan: Plan,
    before: Status,
    after: Status,
    edit: Edit,
    head_change: HeadChange,
    now: datetime,
    *,
    phase: int | None,
) -> None:
    device_id = head_change.head.device_id
    changes.commit(Change(tenant, plan, device_id, before, after, edit=edit, head=head_change, phase=phase), now)
    count(_COUNTED.get(after, Metric.REPORTS_PROGRESS))


def complete_log(raw: bytes) -> bytes | None:
    """The complete part of an incomplete log, marked as such; None if it is not the beginning of a log."""
    # Imported here because few logs are incomplete.
    from chalicelib.deployments.rules import cut_logs

    return cut_logs.completed(raw, timestamp=clock.rfc3339(clock.now()))


def store_log(tenant: TenantId, device_id: str, deployment: str, messages: list[LogMessage]) -> None:
    """Store the log of a device's deployment, replacing an earlier one.

    Raises:
        NotFound: the device has no row in that deployment.
    """
    plan = plans.get(tenant, deployment)
    row = rows.find(tenant, plan, device_id) if plan is not None else None
    if plan is None or row is None:
        raise NotFound(_GONE)
    lines = "".join(f"{_go_time(each.timestamp)} {each.level}: {each.message}\n" for each in messages)
    s3.put(_log_key(tenant, deployment, device_id), lines.encode(), "text/plain; charset=utf-8")
    error = failures.first_error(messages)
    if not row.log or row.error != error:
        rows.store_error(tenant, plan, device_id, error)


def read_log(tenant: TenantId, deployment: str, device_id: str) -> str:
    """The log, one line a message.

    Raises:
        NotFound: there is none.
    """
    return s3.get(_log_key(tenant, deployment, device_id)).decode()


def _log_key(tenant: TenantId, deployment: str, device_id: str) -> str:
    return s3.key(tenant, "logs", deployment, device_id)


def _go_time(text: str) -> str:
    """A timestamp in the form that Mender shows: ``2016-10-27 07:00:00 +0000 UTC``.

    Raises:
        BadRequest: it is not an RFC 3339 time.
    """
    try:
        return times.in_go_form(text)
    except ValueError:
        raise BadRequest(f"invalid timestamp: {text[:64]}") from None

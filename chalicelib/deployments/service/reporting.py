"""Status reports and logs that devices send for a deployment.

Sources: ``docs/behaviour.md#device-statuses`` and ``docs/behaviour.md#deployment-logs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from chalicelib import clock, times
from chalicelib.aws import s3
from chalicelib.deployments import tables
from chalicelib.deployments.rules import failures
from chalicelib.deployments.rules.statuses import REPORTABLE, WITHDRAWN, Status, effective
from chalicelib.deployments.service import changes, heads, plans, rows, timeouts
from chalicelib.deployments.service.changes import ATTEMPTS, Change, HeadWrite, Lost, Withdrawn
from chalicelib.deployments.tables import RowItem
from chalicelib.errors import BadRequest, Conflict, NotFound, Unavailable
from chalicelib.fleet import control
from chalicelib.fleet import heads as fleet_heads
from chalicelib.observability import Metric, count

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.polling import Current
    from chalicelib.deployments.service.plans import Plan
    from chalicelib.deployments.shapes import LogMessage, StatusReport
    from chalicelib.fleet.tables import DeviceHead
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Action

_GONE = "Deployment not found"
_COUNTED = {
    Status.ALREADY_INSTALLED: Metric.REPORTS_ALREADY_INSTALLED,
    Status.FAILURE: Metric.REPORTS_FAILURE,
    Status.SUCCESS: Metric.REPORTS_SUCCESS,
}


def report(tenant: TenantId, head: DeviceHead, deployment: str, said: StatusReport) -> None:
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


def _report_current(tenant: TenantId, head: DeviceHead, current: Current, status: Status, substate: str | None) -> None:
    plan = plans.get(tenant, current.d)
    if plan is None:
        raise NotFound(_GONE)
    before, now = Status(current.s), clock.now()
    # Clients repeat a failure before each attempt to send its log; that must not use up another attempt.
    repeated_failure = status is Status.FAILURE and before is Status.PENDING and current.n > 1 and current.r is None
    if status is before or repeated_failure:
        _require_open(tenant, current)
        # Nothing has changed, but the device is alive.
        _note(tenant, plan, head.device_id, substate, timeouts.noted(tenant, plan.id, before, now))
        return
    again = status is Status.FAILURE and current.n <= plan.retries
    if again:
        # An attempt is left: the device gets this deployment again.
        status = Status.PENDING
    if status.final:
        write = heads.write(head, current=None, decided=current.decides)
    else:
        write = heads.write(head, current=_moved(current, status, again=again))
    actions = _row_actions(tenant, plan, status, substate, now)
    if again:
        actions.append(RowItem.attempts.set(current.n + 1))
    _commit(tenant, plan, head.device_id, before, status, actions, write, now)


def _moved(current: Current, status: Status, *, again: bool) -> Current:
    if again:
        return replace(current, s=status, r=None, n=current.n + 1)
    return replace(current, s=status)


def _require_open(tenant: TenantId, current: Current) -> None:
    """A report that changes nothing must still tell the device that its deployment was aborted."""
    if not current.h and any(deployment == current.d for _, deployment in control.get(tenant).open):
        return
    item = tables.find_deployment(tenant, current.d)
    if item is None or item.aborted:
        raise Conflict(WITHDRAWN[Status.ABORTED])


def _report_other(tenant: TenantId, head: DeviceHead, deployment: str, status: Status, substate: str | None) -> None:
    """A report for a row other than the active one: late, repeated, or a correction."""
    row = tables.find_row(tenant, deployment, head.device_id)
    item = tables.find_deployment(tenant, deployment) if row is not None else None
    if row is None or item is None:
        raise NotFound(_GONE)
    before = effective(Status(row.status), aborted=bool(item.aborted))
    if before in WITHDRAWN:
        raise Conflict(WITHDRAWN[before])
    plan = plans.of(tenant, item)
    if status is before:
        alive = [] if before.final else timeouts.noted(tenant, plan.id, before, clock.now())
        _note(tenant, plan, head.device_id, substate, alive)
        return
    if not status.final and not item.is_open:
        return  # out of order: a finished deployment is not taken up again
    now = clock.now()
    current = heads.current_of(head)
    if current is None and not status.final:
        # The device resumes a row that it had finished, so its polls must serve it.
        current = rows.resumed(plan, row, status)
    # Written even if it is unchanged: if this row were resumed meanwhile, head and row would disagree for ever.
    write = heads.write(head, current=current)
    actions = _row_actions(tenant, plan, status, substate, now)
    if substate is None and timeouts.is_timeout(row.substate):
        actions.append(RowItem.substate.remove())  # it was not silent for good
    _commit(tenant, plan, head.device_id, before, status, actions, write, now)


def _row_actions(tenant: TenantId, plan: Plan, status: Status, substate: str | None, now: datetime) -> list[Action]:
    actions = timeouts.noted(tenant, plan.id, status, now)
    if status is not Status.PENDING:
        actions.append(RowItem.started.set(RowItem.started | now))
    if status.final:
        actions.append(RowItem.finished.set(now))
    if substate is not None:
        actions.append(RowItem.substate.set(substate))
    return actions


def _commit(  # the parts of a change
    tenant: TenantId,
    plan: Plan,
    device_id: str,
    before: Status,
    after: Status,
    actions: list[Action],
    head: HeadWrite | None,
    now: datetime,
) -> None:
    changes.commit(Change(tenant, plan, device_id, before, after, actions=actions, head=head), now)
    count(_COUNTED.get(after, Metric.REPORTS_PROGRESS))


def _note(tenant: TenantId, plan: Plan, device_id: str, substate: str | None, actions: list[Action]) -> None:
    if substate is not None:
        actions = [*actions, RowItem.substate.set(substate)]
    if actions:
        tables.row_ref(tenant, plan.id, device_id).update(actions, RowItem.pk.exists())


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
    row = tables.find_row(tenant, deployment, device_id)
    if row is None:
        raise NotFound(_GONE)
    lines = "".join(f"{_go_time(each.timestamp)} {each.level}: {each.message}\n" for each in messages)
    s3.put(_log_key(tenant, deployment, device_id), lines.encode(), "text/plain; charset=utf-8")
    error = failures.first_error(messages)
    if not row.log or row.error != error:
        said = RowItem.error.remove() if error is None else RowItem.error.set(error)
        row.update([RowItem.log.set(True), said], RowItem.pk.exists())


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

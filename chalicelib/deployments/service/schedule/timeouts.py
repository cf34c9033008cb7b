"""Ends rows of silent devices as failures (``service.silence``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.deployments.rules.row import Edit, Row
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import changes, plans, silence
from chalicelib.deployments.service.changes import Change, Lost, Withdrawn
from chalicelib.deployments.tables import heads, rows
from chalicelib.fleet import control
from chalicelib.fleet import heads as fleet_heads

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.storage.keys import TenantId


def end(tenant: TenantId, row: Row, now: datetime) -> None:
    """End the row of a silent device. A report that arrives meanwhile takes precedence.

    Remaining attempts are not used, because a silent device does not poll either. A later report is stored like any
    correction.
    """
    plan = plans.get(tenant, row.deployment_id)
    if plan is None:
        return  # it is being erased with its tenant
    timeout = control.get(tenant).settings.device_timeout
    if not timeout or row.status.final:
        rows.check_again(tenant, plan, row, None)
        return
    head = fleet_heads.find(tenant, row.device_id)
    current = heads.current_of(head) if head is not None else None
    head_change = None
    if head is not None and current is not None and current.d == plan.id:
        head_change = heads.changed(head, current=None, decided=plan.decides)
    edit = Edit(finished=now, substate=f"{silence.TEXT}{timeout} seconds", forget_error=True, never_due=True)
    change = Change(
        tenant,
        plan,
        row.device_id,
        row.status,
        Status.FAILURE,
        edit=edit,
        head=head_change,
        phase=row.phase,
        silent_since=row.due,
    )
    try:
        changes.commit(change, now)
    except Withdrawn:
        rows.check_again(tenant, plan, row, None)
    except Lost:
        return  # probably the device was faster; otherwise the next run of the schedule looks again

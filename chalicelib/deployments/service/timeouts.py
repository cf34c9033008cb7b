"""Ends rows of silent devices as failures, if the tenant wants that (``TenantSettings.device_timeout``).

Each write of an active row stores when the device's silence becomes too long, by which the schedule finds what is due.
Nothing is written or indexed for tenants without this setting.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import changes, heads, plans
from chalicelib.deployments.service.changes import Change, Lost, Withdrawn
from chalicelib.deployments.tables import RowItem
from chalicelib.fleet import control
from chalicelib.fleet import heads as fleet_heads
from chalicelib.storage import due

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Action

_TEXT = "timeout: no report for "


def noted(tenant: TenantId, deployment: str, status: Status, now: datetime) -> list[Action]:
    """The action that goes with each write of a row: until when its device must report."""
    if status.final:
        return due.never()
    timeout = control.get(tenant).settings.device_timeout
    if not timeout:
        return []
    return due.at(deployment, now + timedelta(seconds=timeout))


def note_first(tenant: TenantId, row: RowItem, now: datetime) -> None:
    """The same for a new active row."""
    timeout = control.get(tenant).settings.device_timeout
    if timeout:
        row.due_pk, row.due_sk = due.key(row.deployment_id, now + timedelta(seconds=timeout))


def is_timeout(substate: str | None) -> bool:
    """Whether a timeout has set this substate."""
    return substate is not None and substate.startswith(_TEXT)


def end(tenant: TenantId, row: RowItem, now: datetime) -> None:
    """End the row of a silent device. A report that arrives meanwhile takes precedence.

    Remaining attempts are not used, because a silent device does not poll either. A later report is stored like any
    correction.
    """
    timeout = control.get(tenant).settings.device_timeout
    before = Status(row.status)
    plan = plans.get(tenant, row.deployment_id)
    if not timeout or before.final or plan is None:
        _forget(row)
        return
    head = fleet_heads.find(tenant, row.device_id)
    current = heads.current_of(head) if head is not None else None
    write = None
    if head is not None and current is not None and current.d == plan.id:
        write = heads.write(head, current=None, decided=plan.decides)
    why = [RowItem.substate.set(f"{_TEXT}{timeout} seconds"), RowItem.error.remove()]
    actions = [RowItem.finished.set(now), *why, *due.never()]
    change = Change(
        tenant, plan, row.device_id, before, Status.FAILURE, actions=actions, head=write, silent_since=row.due_sk
    )
    try:
        changes.commit(change, now)
    except Withdrawn:
        _forget(row)
    except Lost:
        return  # probably the device was faster; otherwise the next run of the schedule looks again


def _forget(row: RowItem) -> None:
    row.update_if(due.never(), RowItem.due_sk == row.due_sk)

"""Removes one device from deployments, or hides its history (``docs/behaviour.md#aborting-deployments``)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from chalicelib import clock
from chalicelib.auditlogs import service as auditlogs
from chalicelib.deployments.rules import polling
from chalicelib.deployments.rules.statuses import Status, effective
from chalicelib.deployments.service import beginning, changes, plans
from chalicelib.deployments.service.beginning import Start
from chalicelib.deployments.service.changes import ATTEMPTS, Full, Lost, Withdrawn
from chalicelib.deployments.service.filter_matches import FilterMatches
from chalicelib.deployments.service.operators.reach import require_all_of_device
from chalicelib.deployments.tables import deployments, heads, rows
from chalicelib.errors import Unavailable
from chalicelib.fleet import control
from chalicelib.fleet import heads as fleet_heads
from chalicelib.storage.transactions import Transaction

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.rules.row import Row
    from chalicelib.fleet.head import Head
    from chalicelib.rights import Scopes
    from chalicelib.storage.keys import TenantId

_ROWS = 90
"""Rows that are deleted in one transaction, with one audit entry."""


def abort_device(tenant: TenantId, device_id: str, scopes: Scopes) -> None:
    """Take a device out of all its active and pending deployments. An unknown device is ignored.

    Raises:
        Forbidden: not all of the device's deployments are within the scopes.
    """
    require_all_of_device(tenant, scopes, device_id)
    _withdraw(tenant, device_id, Status.ABORTED)


def device_gone(tenant: TenantId, device_id: str) -> None:
    """Close the open rows of a decommissioned device, so that no deployment waits for it.

    Can be run again after an interruption at any point.
    """
    _withdraw(tenant, device_id, Status.DECOMMISSIONED)


def _withdraw(tenant: TenantId, device_id: str, status: Status) -> None:
    head = fleet_heads.find(tenant, device_id)
    if head is None:
        return
    # Another process may just have stored the tenant's first deployment that waits for approval.
    known = control.get(tenant, fresh=True)
    if known.parts > 1 or known.approvals:
        # First, so that a deployment that polls begin to see meanwhile is found below.
        _withdraw_hidden(tenant, head, status)
        known = control.get(tenant, fresh=True)
    # Each iteration takes the device out of one deployment; the bound exceeds the number that can be open at once.
    lost = 0
    while head is not None and lost < ATTEMPTS:
        try:
            if not _withdraw_oldest(tenant, head, known.open, status):
                return
        except (Lost, Withdrawn):
            known = control.get(tenant, fresh=True)
            lost += 1
        head = fleet_heads.find(tenant, device_id)
    if head is not None:
        raise Unavailable


def _withdraw_hidden(tenant: TenantId, head: Head, status: Status) -> None:
    """Take the device out of deployments that polls do not see yet."""
    # Stored results of filters are of deployments that polls see.
    matches = FilterMatches(tenant, replace(head, verdicts=None))
    for each in deployments.of_tenant(tenant, is_open=True, newest_first=True):
        if each.preparing is not None:
            deployments.withdraw(tenant, each.id, head.device_id, status)
        elif each.waits and _is_target(tenant, each.plan, head.device_id, matches):
            with suppress(Lost, Withdrawn, Full):  # it has a row already, or the deployment was aborted or is full
                beginning.withdraw(tenant, each.plan, head.device_id, status, clock.now())


def _withdraw_oldest(tenant: TenantId, head: Head, opened: Mapping[str, int], status: Status) -> bool:
    """Take the device out of its oldest open deployment; False if there is none.

    ``opened``: the open deployments of the control item.
    """
    current = heads.current_of(head)
    if current is not None:
        plan = plans.get(tenant, current.d)
        if plan is None or not _is_open(tenant, current.d):
            changes.commit_head(heads.changed(head, current=None, decided=current.decides))
        else:
            beginning.end(tenant, plan, head, Status(current.s), status, clock.now())
        return True
    matches = FilterMatches(tenant, head)
    possible = plans.possible_for(tenant, head, opened, matches)
    for each in polling.waiting(head.decided, heads.queue_of(head), possible):
        plan = plans.get(tenant, each.deployment)
        if plan is None or not _is_target(tenant, plan, head.device_id, matches):
            continue
        if each.on_head and not _is_open(tenant, each.deployment):
            continue
        try:
            beginning.begin(tenant, plan, head, Start(status), clock.now())
        except Full:
            continue  # a dynamic deployment that has all the devices that it may have
        return True
    return False


def _is_open(tenant: TenantId, deployment: str) -> bool:
    stored = deployments.find(tenant, deployment)
    return stored is not None and stored.is_open


def _is_target(tenant: TenantId, plan: Plan, device_id: str, matches: FilterMatches) -> bool:
    return matches.take(plan) if plan.dynamic else plans.includes(tenant, plan, device_id)


def forget_history(tenant: TenantId, device_id: str, scopes: Scopes) -> None:
    """Mark a device's finished rows as deleted; it becomes eligible again for unfinished deployments.

    Raises:
        Forbidden: as :func:`abort_device`.
    """
    require_all_of_device(tenant, scopes, device_id)
    now = clock.now()
    past = list(rows.of_device(tenant, device_id))
    found = deployments.find_many(tenant, {row.deployment_id for row in past})
    again: list[tuple[int, str]] = []
    gone: list[tuple[Plan, Row]] = []
    for row in past:
        stored = found.get(row.deployment_id)
        if stored is None or not effective(row.status, aborted=stored.aborted).final:
            continue
        if row.deleted is None:
            gone.append((stored.plan, row))
        if stored.is_open and stored.plan.on_heads:
            again.append((stored.plan.sequence, stored.id))
    for start in range(0, len(gone), _ROWS):
        _delete(tenant, device_id, gone[start : start + _ROWS], now)
    for _ in range(ATTEMPTS):
        head = fleet_heads.find(tenant, device_id)
        if head is None:
            return
        queue = sorted(set(heads.queue_of(head)) | set(again))
        try:
            changes.commit_head(heads.changed(head, current=heads.current_of(head), queue=queue, forget=True))
        except Lost:
            continue
        return
    raise Unavailable


def _delete(tenant: TenantId, device_id: str, gone: list[tuple[Plan, Row]], now: datetime) -> None:
    tx = Transaction()
    for plan, row in gone:
        rows.delete_from_history(tx, tenant, plan, row.device_id, now)
    device = auditlogs.Object(auditlogs.ObjectType.DEVICE, device_id)
    change = f"History deleted of deployments {', '.join(plan.id for plan, _ in gone)}"
    auditlogs.record(tx, tenant, auditlogs.Action.DELETE, device, change=change)
    tx.commit()

"""Creates rows of devices, and ends them on behalf of the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from chalicelib.deployments.rules.polling import Current
from chalicelib.deployments.rules.row import Edit, Row
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import changes, silence
from chalicelib.deployments.service.changes import Change, Lost
from chalicelib.deployments.tables import heads, rows

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.fleet.head import Head
    from chalicelib.storage.keys import TenantId


class Start(msgspec.Struct, frozen=True):
    """The start of a row: active with ``current``, or final at once."""

    status: Status
    phase: int | None = None
    """Index of the last open phase; None for a row that begins outside of phases."""
    current: Current | None = None
    """The active row as stored in the head."""
    artifact: str | None = None
    """Id of the chosen artifact."""
    size: int = 0
    """Bytes that the device will download."""
    device_type: str | None = None
    """The device's own type; None if it was not asked."""
    downgrade: str | None = None
    """What becomes older on the device (``rules.versions``); with a final status what would."""


def begin(tenant: TenantId, plan: Plan, head: Head, start: Start, now: datetime) -> None:
    """Create a device's row in a deployment.

    Raises:
        Lost: the head (as it was read) or row was not as expected; read again, decide again.
        Withdrawn: the deployment was aborted.
        Held: the deployment is paused.
        Full: the phase has no capacity.
        RateReached: no more devices may begin in this minute.
        Unavailable: other writers won the race too often.
    """
    if start.status.final:
        head_change = heads.changed(head, current=None, decided=plan.decides, done=plan.id)
    else:
        head_change = heads.changed(head, current=start.current)
    row = _new_row(plan, head.device_id, start, now)
    change = Change(
        tenant,
        plan,
        head.device_id,
        before=None,
        after=start.status,
        new_row=row,
        edit=silence.noted(tenant, start.status, now),
        head=head_change,
        size=start.size,
        phase=start.phase,
        upto=plan.capacity(start.phase),
        downgrade=start.downgrade,
    )
    try:
        changes.commit(change, now)
    except Lost:
        old = rows.find(tenant, plan, head.device_id)
        if old is None:
            raise
        if old.deleted is None:
            _take_up(head, plan, old)
            raise
        # A row that was deleted from the device's history is replaced by a new one. The device is not counted again.
        again = replace(
            change,
            before=old.status,
            new_row=replace(row, phase=old.phase),
            replaces_deleted=True,
            phase=old.phase,
            upto=None,
        )
        changes.commit(again, now)


def withdraw(tenant: TenantId, plan: Plan, device_id: str, status: Status, now: datetime) -> None:
    """Create a row with a final status for a device whose head may be gone. If it is not, a poll takes up the row.

    Raises:
        Lost: the device has a row.
        Withdrawn: the deployment was aborted.
        Full: it has as many devices as its limit.
        Unavailable: other writers won the race too often.
    """
    row, upto = _new_row(plan, device_id, Start(status), now), plan.capacity(None)
    changes.commit(Change(tenant, plan, device_id, before=None, after=status, new_row=row, upto=upto), now)


def end(tenant: TenantId, plan: Plan, head: Head, before: Status, after: Status, now: datetime) -> None:
    """End a device's active row with a final status that the device did not report.

    Raises:
        Lost: the head or row was not as expected; read again, decide again.
        Withdrawn: the deployment was aborted.
        Unavailable: other writers won the race too often.
    """
    current = heads.current_of(head)
    head_change = heads.changed(head, current=None, decided=plan.decides)
    edit = Edit(finished=now, never_due=True)
    phase = current.p if current is not None else None
    change = Change(tenant, plan, head.device_id, before, after, edit=edit, head=head_change, phase=phase)
    changes.commit(change, now)


def _new_row(plan: Plan, device_id: str, start: Start, now: datetime) -> Row:
    is_refused = start.downgrade is not None and start.status.final
    return Row(
        deployment_id=plan.id,
        device_id=device_id,
        status=start.status,
        sequence=plan.sequence,
        created=plan.created,  # as in Mender
        finished=now if start.status.final else None,
        artifact=start.artifact,
        phase=start.phase,
        device_type=start.device_type,
        substate=f"downgrade refused: {start.downgrade}" if is_refused else None,
        downgrade=start.downgrade,
    )


def _take_up(head: Head, plan: Plan, row: Row) -> None:
    """Make the head refer to an existing row, because a device may resume one it had finished.

    If a simultaneous call of the device created the row, the head has changed too, and this attempt fails as well.
    """
    if row.status.final:
        changes.commit_head(heads.changed(head, current=None, decided=plan.decides, done=plan.id))
    else:
        changes.commit_head(heads.changed(head, current=resumed(plan, row, row.status)))


def resumed(plan: Plan, row: Row, status: Status) -> Current:
    """The active row for the head after a device has resumed it. Its next poll chooses an artifact again."""
    return Current(
        d=plan.id,
        q=plan.sequence,
        s=status,
        a=row.artifact or "",
        n=row.attempts,
        h=plan.on_heads,
        c=plan.configures,
        p=row.phase if plan.counts_results else None,
    )

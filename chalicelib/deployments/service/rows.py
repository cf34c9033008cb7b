"""Creates rows of devices, and ends them on behalf of the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from chalicelib.deployments import tables
from chalicelib.deployments.rules.polling import Current
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import changes, heads, timeouts
from chalicelib.deployments.service.changes import Change, Lost
from chalicelib.deployments.tables import RowItem
from chalicelib.storage import due, keys

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.service.plans import Plan
    from chalicelib.fleet.tables import DeviceHead
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Action


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


def begin(tenant: TenantId, plan: Plan, head: DeviceHead, start: Start, now: datetime) -> None:
    """Create a device's row in a deployment.

    Raises:
        Lost: the head (as it was read) or row was not as expected; read again, decide again.
        Withdrawn: the deployment was aborted.
        Full: the phase has no capacity.
        Unavailable: other writers won the race too often.
    """
    row = _new_row(tenant, plan, head.device_id, start, now)
    if start.status.final:
        write = heads.write(head, current=None, decided=plan.decides, done=plan.id)
    else:
        write = heads.write(head, current=start.current)
    change = Change(
        tenant,
        plan,
        head.device_id,
        before=None,
        after=start.status,
        new_row=row,
        head=write,
        size=start.size,
        phase=start.phase,
        room=plan.room(start.phase),
    )
    try:
        changes.commit(change, now)
    except Lost:
        old = tables.find_row(tenant, plan.id, head.device_id)
        if old is None:
            raise
        if not old.is_deleted:
            _take_up(head, plan, old)
            raise
        # A row that was deleted from the device's history is replaced by a new one. The device is not counted again.
        row.phase = old.phase
        again = replace(change, before=Status(old.status), replaces_deleted=True, phase=None, room=None)
        changes.commit(again, now)


def end(tenant: TenantId, plan: Plan, head: DeviceHead, before: Status, after: Status, now: datetime) -> None:
    """End a device's active row with a final status that the device did not report.

    Raises:
        Lost: the head or row was not as expected; read again, decide again.
        Withdrawn: the deployment was aborted.
        Unavailable: other writers won the race too often.
    """
    write = heads.write(head, current=None, decided=plan.decides)
    actions: list[Action] = [RowItem.finished.set(now), *due.never()]
    changes.commit(Change(tenant, plan, head.device_id, before, after, actions=actions, head=write), now)


def _new_row(tenant: TenantId, plan: Plan, device_id: str, start: Start, now: datetime) -> RowItem:
    """A row has the age of its deployment, as in Mender."""
    row = tables.row_ref(tenant, plan.id, device_id)
    row.status, row.sequence, row.created = start.status, plan.sequence, plan.created
    row.artifact, row.phase, row.device_type = start.artifact, start.phase, start.device_type
    if start.status.final:
        row.finished = now
    else:
        timeouts.note_first(tenant, row, now)
    row.history_pk = tables.device_history(tenant, device_id)
    row.history_sk = keys.sort(keys.number(plan.sequence), plan.id)
    row.state_pk, row.state_sk = row.pk, tables.row_state(start.status, device_id)
    return row


def _take_up(head: DeviceHead, plan: Plan, row: RowItem) -> None:
    """Make the head refer to an existing row, because a device may resume one it had finished.

    If a simultaneous call of the device created the row, the head has changed too, and this attempt fails as well.
    """
    status = Status(row.status)
    if status.final:
        heads.commit(heads.write(head, current=None, decided=plan.decides, done=plan.id))
    else:
        heads.commit(heads.write(head, current=resumed(plan, row, status)))


def resumed(plan: Plan, row: RowItem, status: Status) -> Current:
    """The active row for the head after a device has resumed it. Its next poll chooses an artifact again."""
    attempts = row.attempts
    return Current(
        d=plan.id, q=plan.sequence, s=status, a=row.artifact or "", n=attempts, h=plan.on_heads, c=plan.configures
    )

"""Changes a device's row, always with its head and counters in one transaction.

A report must find out whether it is the last one of its deployment, without reading the rows of other devices. Each
counter item knows the number of devices it counts, and a normal write has the condition that it does *not* complete it.
Exactly one write per counter item fails this condition; it is then repeated with the completion in its transaction, and
for the deployment's last counter item with the closing. An abort sets ``closed`` on the counters, which makes every
later write of a row fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from chalicelib.deployments.rules.deployment import Plan
from chalicelib.deployments.rules.row import NOTHING, Edit, Row
from chalicelib.deployments.rules.statuses import WITHDRAWN, Status
from chalicelib.deployments.service import capacity, closing, downgrades, events
from chalicelib.deployments.service.capacity import Full
from chalicelib.deployments.tables import counters, deployments, heads, pacing, rows
from chalicelib.deployments.tables.counters import Delta, Step
from chalicelib.deployments.tables.heads import HeadChange
from chalicelib.deployments.tables.items import number_of
from chalicelib.errors import Unavailable
from chalicelib.fleet import control
from chalicelib.observability import Metric, count
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import ConditionFailed, Transaction

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["ATTEMPTS", "Change", "Full", "Held", "Lost", "RateReached", "Withdrawn", "commit", "commit_head"]

ATTEMPTS = 20
"""A device races only with its own calls and its operators, and each lost race means that another call succeeded."""


class Lost(Exception):  # not an error: another writer was faster
    """The row or head has changed since it was read: read and decide again."""


class Withdrawn(Exception):  # not an error: the expected end of an abort
    """The deployment was aborted; its rows no longer change."""


class Held(Exception):  # not an error: the expected end of a race with a pause
    """The deployment is paused, so no device begins; nothing was written."""


class RateReached(Exception):  # not an error: the expected end of a race for the last places of a minute
    """No more devices may begin in this minute; nothing was written."""


class Change(msgspec.Struct, frozen=True):
    """A change of a row; ``before`` is None for a new one.

    New rows are put (``new_row``), others changed by ``edit``, conditional on the status ``before``.
    """

    tenant: TenantId
    plan: Plan
    device_id: str
    before: Status | None
    after: Status
    new_row: Row | None = None
    replaces_deleted: bool = False
    edit: Edit = NOTHING
    """The row's other changes; of a new row only ``due``."""
    head: HeadChange | None = None
    size: int = 0
    """Additional bytes that the deployment serves."""
    phase: int | None = None
    """The phase in which the row begins or has begun, as far as that is counted."""
    upto: int | None = None
    """The number of devices that may have begun, including this one; None: no limit."""
    silent_since: str | None = None
    """The ``due`` that the row must still have, if the server ends it because the device is silent."""
    downgrade: str | None = None
    """What becomes older on the device, or would; the first one of a deployment is recorded in the audit log."""

    @property
    def delta(self) -> Delta:
        """Its effect on the counters."""
        return Delta(
            before=self.before,
            after=self.after,
            is_new=self.new_row is not None and not self.replaces_deleted,
            begins=self.new_row is not None and self.after not in WITHDRAWN,
            size=self.size,
            phase=self.phase,
            upto=self.upto,
        )


def commit(change: Change, now: datetime) -> None:
    """Write the change, and the completions that follow from it.

    Raises:
        Lost: the row or head has changed meanwhile; nothing was written.
        Withdrawn: the deployment was aborted; nothing was written.
        Held: the deployment is paused, and this is a new row.
        Full: there is no capacity for a new row.
        RateReached: no more devices may begin in this minute.
        Unavailable: other writers won the race too often.
    """
    step, plan = Step(), change.plan
    for _ in range(ATTEMPTS):
        try:
            _collect(change, step, now).commit()
        except ConditionFailed as failure:
            if downgrades.LABEL in failure.failed:
                # Another device was the first one; a process finds this out once for each deployment.
                downgrades.note(change.tenant, change.plan.id)
                change = replace(change, downgrade=None)
                del failure.failed[downgrades.LABEL]
            if failure.failed:
                step = _next(change, step, failure)
            continue
        if change.downgrade is not None:
            downgrades.note(change.tenant, change.plan.id)
        if step.completes and not plan.on_heads:
            control.forget(change.tenant)
        if change.new_row is not None and not change.after.final:
            count(Metric.ASSIGNMENTS)
        if plan.stop is not None and (change.before is Status.FAILURE) != (change.after is Status.FAILURE):
            # Imported here: only failures in deployments with a stop need it.
            from chalicelib.deployments.service import stopping

            look = stopping.check if change.after is Status.FAILURE else stopping.corrected
            look(change.tenant, plan, now)
        return
    raise Unavailable


def commit_head(change: HeadChange) -> None:
    """Write a change of a head alone.

    Raises:
        Lost: the head has changed since it was read.
    """
    tx = Transaction()
    heads.change(tx, change)
    if not tx.try_commit():
        raise Lost


def _collect(change: Change, step: Step, now: datetime) -> Transaction:
    tx, tenant, plan, delta = Transaction(), change.tenant, change.plan, change.delta
    if change.new_row is not None:
        rows.put(tx, tenant, plan, change.new_row, change.edit.due, replaces=change.replaces_deleted)
    else:
        rows.change(
            tx,
            tenant,
            plan,
            change.device_id,
            change.before,
            change.after,
            change.edit,
            silent_since=change.silent_since,
        )
    if change.head is not None:
        heads.change(tx, change.head)
    counters.count(tx, tenant, plan, change.device_id, delta, step)
    if change.upto is not None:
        counters.count_begun(tx, tenant, plan, change.upto, step.loan)
    if delta.begins and not delta.after.final:
        pacing.count_in_minute(tx, tenant, plan, change.device_id, now)
    if plan.parts and change.before is not None and change.before.final and not step.reopens:
        deployments.correct(tx, tenant, plan)
    if delta.finishes:
        events.device_finished(tx, tenant, plan, change.device_id, change.after)
    _complete(tx, change, step, now)
    if change.after is Status.ABORTED:
        _record(tx, change)
    if change.downgrade is not None:
        downgrades.record(tx, tenant, plan, change.downgrade, is_refused=change.after.final)
    return tx


def _complete(tx: Transaction, change: Change, step: Step, now: datetime) -> None:
    """Add what the completion of a counter item means for the deployment."""
    if step.closes:
        closing.close(tx, change.tenant, change.plan, now, deployments.Ending(last_counter=True))
    elif step.completes:
        deployments.complete_counter(tx, change.tenant, change.plan)
    elif step.reopens:
        deployments.reopen_counter(tx, change.tenant, change.plan)


def _next(change: Change, step: Step, failure: ConditionFailed) -> Step:
    """What the next attempt must do after this failure.

    Raises:
        Lost: another attempt would fail too.
        Withdrawn: as :class:`Lost`.
        Held: as :class:`Lost`.
        Full: as :class:`Lost`.
        RateReached: as :class:`Lost`.
    """
    failed, plan = failure.failed, change.plan
    _refuse(change, failure)
    counter = failed.get("counter")
    is_missing = counters.is_missing(failed)
    if counter is not None:
        # Either this write completes the counter, or it seemed to and another device has changed its status.
        completes = change.delta.finishes and counters.is_last(counter)
    else:
        completes = is_missing and change.delta.finishes and counters.has_one_device(plan, change.device_id)
    if plan.parts and change.upto is not None and _needs_loan(change, change.upto, failed):
        creates = is_missing or (step.creates and counter is None)
        part = number_of(plan, change.device_id)
        loan = capacity.borrow(change.tenant, plan, part, change.upto)
        # If only the lending part had less by now, nothing is known about the counter of this one.
        completes = completes if "counter" in failed else step.completes
        return _completing(plan, replace(step, creates=creates, completes=completes, loan=loan))
    if is_missing:
        return _completing(plan, Step(creates=True, completes=completes))
    if counter is not None:
        reopens = change.delta.resumes and counters.is_complete(counter)
        return _completing(plan, replace(step, creates=False, completes=completes, reopens=reopens, closes=False))
    deployment = failed.get("deployment")
    if step.reopens:
        raise Lost from failure
    if deployment is None or "finished" in deployment:
        raise Withdrawn from failure
    return replace(step, closes=deployments.is_almost_complete(plan, deployment))


def _refuse(change: Change, failure: ConditionFailed) -> None:
    """Raise an error if another attempt would fail too; see :func:`_next`."""
    failed = failure.failed
    if "head" in failed:
        raise Lost from failure
    if "room" in failed and not change.plan.parts:
        raise Full from failure
    if "row" in failed:
        raise Lost from failure
    counter = failed.get("counter")
    if counter is not None and counters.is_closed(counter):
        raise Withdrawn from failure
    if counter is not None and change.delta.begins and counters.is_held(counter):
        raise Held from failure
    if "rate" in failed:
        raise RateReached from failure


def _needs_loan(change: Change, upto: int, failed: Mapping[str, counters.Stored | None]) -> bool:
    """Whether an attempt failed because the part has used its share, or because the lending part has less by now."""
    if "room" in failed:
        return True
    counter = failed.get("counter")
    if counter is not None:
        return counters.is_full(change.plan, change.device_id, upto, counter)
    return counters.is_missing(failed) and not counters.has_share(change.plan, change.device_id, upto)


def _completing(plan: Plan, step: Step) -> Step:
    """The step, which ends the deployment if this is its only counter item."""
    return replace(step, closes=step.completes and plan.shards == 1)


def _record(tx: Transaction, change: Change) -> None:
    """Add the audit entry of a row that a user aborts."""
    # Imported here because reports of devices do not need it.
    from chalicelib.auditlogs import service as auditlogs

    device = auditlogs.Object(auditlogs.ObjectType.DEVICE, change.device_id)
    text = f"Deployment {change.plan.id}: {change.before or Status.PENDING} -> {change.after}"
    auditlogs.record(tx, change.tenant, auditlogs.Action.ABORT, device, change=text)

"""Changes a device's row, always with its head and counters in one transaction.

A report must find out whether it is the last one of its deployment, without reading the rows of other devices. Each
counter item knows the number of devices it counts, and a normal write has the condition that it does *not* complete it.
Exactly one write per counter item fails this condition; it is then repeated with the completion in its transaction, and
for the deployment's last counter item with the closing. An abort sets ``closed`` on the counters, which makes every
later write of a row fail.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.artifacts import service as artifacts
from chalicelib.deployments import tables
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import events
from chalicelib.deployments.service.plans import Plan
from chalicelib.deployments.tables import CounterItem, CountsItem, DeploymentItem, RoomItem, RowItem
from chalicelib.errors import Unavailable
from chalicelib.fleet import control
from chalicelib.fleet.tables import DeviceHead
from chalicelib.observability import Metric, count
from chalicelib.storage import due
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import Action, Condition, ConditionFailed, Transaction

if TYPE_CHECKING:
    from datetime import datetime


ATTEMPTS = 20
"""A device races only with its own calls and its operators, and each lost race means that another call succeeded."""


class Lost(Exception):  # not an error: another writer was faster
    """The row or head has changed since it was read: read and decide again."""


class Full(Exception):  # not an error: the expected end of a race for the last place
    """The deployment has no capacity for another device at present; nothing was written."""


class Withdrawn(Exception):  # not an error: the expected end of an abort
    """The deployment was aborted; its rows no longer change."""


class HeadWrite(msgspec.Struct, frozen=True):
    """The change of the device's head, conditional on ``revision``."""

    head: DeviceHead
    actions: list[Action]
    condition: Condition


class Change(msgspec.Struct, frozen=True):
    """A change of a row; ``before`` is None for a new one.

    New rows are put (``new_row``), others updated with ``actions``, conditional on the status ``before``.
    """

    tenant: TenantId
    plan: Plan
    device_id: str
    before: Status | None
    after: Status
    new_row: RowItem | None = None
    replaces_deleted: bool = False
    actions: list[Action] = []
    head: HeadWrite | None = None
    size: int = 0
    """Additional bytes that the deployment serves."""
    phase: int | None = None
    """The phase in which a new row begins."""
    room: int | None = None
    """The number of devices that may have begun, including this one; None: no limit."""
    silent_since: str | None = None
    """The ``due_sk`` that the row must still have, if the server ends it because the device is silent."""

    @property
    def finishes(self) -> bool:
        """Whether the change makes the status final."""
        return self.after.final and not (self.before is not None and self.before.final)


def commit(change: Change, now: datetime) -> None:
    """Write the change, and the completions that follow from it.

    Raises:
        Lost: the row or head has changed meanwhile; nothing was written.
        Withdrawn: the deployment was aborted; nothing was written.
        Full: there is no capacity for a new row.
        Unavailable: other writers won the race too often.
    """
    completes = closes = False
    for _ in range(ATTEMPTS):
        tx = Transaction()
        _write_row(tx, change)
        _write_counter(tx, change, completes=completes)
        if change.finishes:
            events.device_finished(tx, change.tenant, change.plan, change.device_id, change.after)
        if completes:
            if closes or change.plan.shards == 1:
                close(tx, change.tenant, change.plan, now, last_counter=True)
            else:
                _complete_one(tx, change)
        if change.after is Status.ABORTED:
            _record(tx, change)
        try:
            tx.commit()
        except ConditionFailed as failure:
            _raise_if_decided(failure)
            counter = failure.failed.get("counter")
            # Either this write completes the counter, or it seemed to and another device has changed its status.
            completes = change.finishes and counter is not None and _is_last(counter)
            if counter is None:
                completes, closes = True, not closes
            continue
        if completes and not change.plan.on_heads:
            control.forget(change.tenant)
        if change.new_row is not None and not change.after.final:
            count(Metric.ASSIGNMENTS)
        return
    raise Unavailable


def _raise_if_decided(failure: ConditionFailed) -> None:
    """Errors that another attempt would not change."""
    if "head" in failure.failed:
        raise Lost from failure
    if "room" in failure.failed:
        raise Full from failure
    if "row" in failure.failed:
        raise Lost from failure
    if "closed" in (failure.failed.get("counter") or {}):
        raise Withdrawn from failure


def _record(tx: Transaction, change: Change) -> None:
    """Add the audit entry of a row that a user aborts."""
    # Imported here because reports of devices do not need it.
    from chalicelib.auditlogs import service as auditlogs

    device = auditlogs.Object(auditlogs.ObjectType.DEVICE, change.device_id)
    text = f"Deployment {change.plan.id}: {change.before or Status.PENDING} -> {change.after}"
    auditlogs.record(tx, change.tenant, auditlogs.Action.ABORT, device, change=text)


def _is_last(counter: dict[str, Any]) -> bool:
    return "complete" not in counter and counter["done"]["N"] == counter["last"]["N"]


def _write_row(tx: Transaction, change: Change) -> None:
    row = tables.row_ref(change.tenant, change.plan.id, change.device_id)
    if change.new_row is not None:
        condition = RowItem.deleted.exists() if change.replaces_deleted else RowItem.pk.does_not_exist()
        tx.put(change.new_row, condition, label="row")
    else:
        state = tables.row_state(change.after, change.device_id)
        actions = [RowItem.status.set(str(change.after)), RowItem.state_sk.set(state), *change.actions]
        same: Condition = RowItem.status == str(change.before)
        if change.silent_since is not None:
            same &= RowItem.due_sk == change.silent_since
        tx.update(row, actions, same, label="row")
    if change.head is not None:
        tx.update(change.head.head, change.head.actions, change.head.condition, label="head")


def _write_counter(tx: Transaction, change: Change, *, completes: bool) -> None:
    shard = tables.shard_of(change.device_id, change.plan.shards)
    deltas: dict[str, tuple[Any, int]] = {}

    def add(attribute: Any, amount: int) -> None:
        name = attribute.attr_name
        deltas[name] = (attribute, deltas.get(name, (attribute, 0))[1] + amount)

    add(tables.counter_of(change.after), 1)
    if change.before is not None:
        add(tables.counter_of(change.before), -1)
    if change.new_row is not None and not change.replaces_deleted:
        add(CounterItem.rows, 1)
    add(CounterItem.done, int(change.after.final) - int(change.before is not None and change.before.final))
    add(CounterItem.total_size, change.size)
    actions: list[Action] = [attribute.add(amount) for attribute, amount in deltas.values() if amount]
    condition = CounterItem.closed.does_not_exist()
    if completes:
        actions.append(CounterItem.complete.set(True))
        condition &= CounterItem.complete.does_not_exist() & (CounterItem.done == CounterItem.last)
    elif change.finishes:
        condition &= CounterItem.complete.exists() | (CounterItem.done < CounterItem.last)
    if change.phase is not None:
        place = CounterItem.phases[change.phase]
        actions.append(place.set(place + 1))
    counter = tables.counter_ref(change.tenant, change.plan.id, shard)
    if actions:
        tx.update(counter, actions, condition, label="counter")
    else:
        # Counted again: as after a first attempt, a closed counter still prevents changes after an abort.
        tx.check(counter, condition, label="counter")
    if change.room is not None:
        room = tables.room_ref(change.tenant, change.plan.id)
        tx.update(room, [RoomItem.begun.add(1)], RoomItem.begun < change.room, label="room")


def _complete_one(tx: Transaction, change: Change) -> None:
    tx.update(
        tables.deployment_ref(change.tenant, change.plan.id),
        [DeploymentItem.complete.add(1)],
        DeploymentItem.finished.does_not_exist() & (DeploymentItem.complete < change.plan.shards - 1),
        label="deployment",
    )


def close(
    tx: Transaction, tenant: TenantId, plan: Plan, now: datetime, *, last_counter: bool = False, aborted: bool = False
) -> None:
    """Add the end of a deployment to a transaction: it is no longer offered, and its artifact is released."""
    condition = DeploymentItem.finished.does_not_exist() & DeploymentItem.pk.exists()
    actions: list[Action] = [
        DeploymentItem.finished.set(now),
        DeploymentItem.state_pk.set(tables.deployment_state(tenant, is_open=False)),
        *due.never(),
    ]
    if last_counter:
        condition &= DeploymentItem.complete == plan.shards - 1
        actions.append(DeploymentItem.complete.add(1))
    if aborted:
        actions.append(DeploymentItem.aborted.set(True))
    tx.update(tables.deployment_ref(tenant, plan.id), actions, condition, label="deployment")
    tx.update(tables.counts_ref(tenant), [CountsItem.open.add(-1)], label="counts")
    tx.delete(tables.active_ref(tenant, plan.lock), label="lock")
    if not plan.configures:
        artifacts.let_go(tx, tenant, plan.artifact_name)
    if not plan.on_heads:
        control.close_deployment(tx, tenant, plan.id)
    events.closed(tx, tenant, plan, aborted=aborted)
    tx.then(partial(count, Metric.DEPLOYMENTS_ABORTED if aborted else Metric.DEPLOYMENTS_FINISHED))

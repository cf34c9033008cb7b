"""Rows: a device in a deployment, from its first poll on."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from chalicelib.deployments.rules.row import Edit, Row
from chalicelib.deployments.rules.statuses import RANK, Status
from chalicelib.deployments.tables import records
from chalicelib.deployments.tables.items import (
    RowItem,
    deployment_of,
    deployment_pk,
    device_history,
    part_pk,
    row_pk,
    row_ref,
    row_sk,
    row_state,
    table,
)
from chalicelib.storage import due, keys
from chalicelib.storage.records import Range
from chalicelib.storage.writes import Put, Update, number, text, time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from chalicelib.cursors import Cursor
    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.tables.records import RowRecord
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

_COMPUTED = {"deployment_id", "device_id", "status", "due"}
"""The fields of a row that are not just the attribute of the same name."""
_PLAIN = [field for field in Row.__struct_fields__ if field not in _COMPUTED]


# --- reads ----------------------------------------------------------------------------------------


def of_item(item: RowItem | RowRecord) -> Row:
    """An item as a record."""
    return Row(
        deployment_id=deployment_of(item.pk),
        device_id=keys.last_part(item.sk),
        status=Status(item.status),
        due=item.due_sk,
        **{name: getattr(item, name) for name in _PLAIN},
    )


def find(tenant: TenantId, plan: Plan, device_id: str) -> Row | None:
    """A row (strongly consistent)."""
    item = row_ref(tenant, plan, device_id).fetch()
    return None if item is None else of_item(item)


def of_device(tenant: TenantId, device_id: str, *, limit: int | None = None) -> Iterator[Row]:
    """The rows of a device, newest first; all, or the first ones."""
    return _of_device(tenant, device_id, None, forward=False, limit=limit)


def of_device_beside(tenant: TenantId, device_id: str, cursor: Cursor, limit: int) -> list[Row]:
    """The ``limit`` rows of a device that follow the place of a cursor, or precede it, newest first."""
    beyond = Range(">" if cursor.before else "<", cursor.key)
    found = list(_of_device(tenant, device_id, beyond, forward=cursor.before, limit=limit))
    return found[::-1] if cursor.before else found


def _of_device(
    tenant: TenantId, device_id: str, within: Range | None, *, forward: bool, limit: int | None
) -> Iterator[Row]:
    partition = device_history(tenant, device_id)
    return map(of_item, records.rows.query(table(), partition, within, index="history", forward=forward, limit=limit))


def place_of_device(row: Row) -> str:
    """The sort key of a row among those of its device."""
    return keys.sort(keys.number(row.sequence), row.deployment_id)


def count_of_device(tenant: TenantId, device_id: str) -> int:
    """The number of a device's rows."""
    return int(RowItem.history.count(device_history(tenant, device_id)))


def of_deployment(tenant: TenantId, plan: Plan, parts: Iterable[int]) -> list[Row]:
    """The rows of a deployment, or of these parts of a large one, by status, then device (strongly consistent).

    They are read by device, which never changes, so each row is found once, whatever its status becomes meanwhile. The
    index by status may contain a row that is just changing twice, or not at all.
    """
    items = [
        item
        for partition in _partitions(tenant, plan, parts)
        for item in RowItem.query(partition, RowItem.sk.startswith("ROW#"), consistent_read=True)
    ]
    return [of_item(item) for item in sorted(items, key=lambda item: str(item.state_sk))]


def by_device(
    tenant: TenantId, plan: Plan, part: int, *, after: str = "", limit: int, recent: bool = False
) -> Iterator[Row]:
    """The first rows of a deployment, or of one part of a large one, by device, from the one after ``after``.

    Strongly consistent; with ``recent`` eventually consistent, for half the price.
    """
    (partition,) = _partitions(tenant, plan, [part])
    beyond = Range(">", row_sk(after))
    found = records.rows.query(table(), partition, beyond, limit=limit, recent=recent)
    return map(of_item, takewhile(lambda record: record.sk.startswith("ROW#"), found))


def with_status(tenant: TenantId, plan: Plan, part: int, status: Status, *, limit: int | None = None) -> Iterator[Row]:
    """The rows with one stored status, by device: of a deployment, or of one part of a large one.

    All, or the first ones (eventually consistent).
    """
    (partition,) = _partitions(tenant, plan, [part])
    prefix = Range("begins", f"{RANK[status]:02d}#")
    return map(of_item, records.rows.query(table(), partition, prefix, index="state", limit=limit))


def _partitions(tenant: TenantId, plan: Plan, parts: Iterable[int]) -> list[str]:
    if plan.parts:
        return [part_pk(tenant, plan.id, part) for part in parts]
    return [deployment_pk(tenant, plan.id)]


# --- writes ---------------------------------------------------------------------------------------


def put(tx: Transaction, tenant: TenantId, plan: Plan, row: Row, due_at: datetime | None, *, replaces: bool) -> None:
    """Add a new row; fails with label ``row`` if there is one, or with ``replaces`` if it is not a deleted one."""
    pk, sk = row_pk(tenant, plan, row.device_id), row_sk(row.device_id)
    item = {
        "pk": text(pk),
        "sk": text(sk),
        "status": text(row.status),
        "sequence": number(row.sequence),
        "created": time(row.created),
        "log": {"BOOL": row.log},
        "attempts": number(row.attempts),
        "history_pk": text(device_history(tenant, row.device_id)),
        "history_sk": text(place_of_device(row)),
        "state_pk": text(pk),
        "state_sk": text(row_state(row.status, row.device_id)),
    }
    if row.finished is not None:
        item["finished"] = time(row.finished)
    if row.artifact is not None:
        item["artifact"] = text(row.artifact)
    if row.phase is not None:
        item["phase"] = number(row.phase)
    if row.device_type is not None:
        item["device_type"] = text(row.device_type)
    if row.substate is not None:
        item["substate"] = text(row.substate)
    if row.downgrade is not None:
        item["downgrade"] = text(row.downgrade)
    if due_at is not None:
        due_pk, due_sk = due.key(row.deployment_id, due_at)
        item |= {"due_pk": text(due_pk), "due_sk": text(due_sk)}
    condition = "attribute_exists(#deleted)" if replaces else "attribute_not_exists(#pk)"
    tx.write(Put(table(), item).require(condition), label="row")


def change(  # the parts of a change
    tx: Transaction,
    tenant: TenantId,
    plan: Plan,
    device_id: str,
    before: Status | None,
    after: Status,
    edit: Edit,
    *,
    silent_since: str | None,
) -> None:
    """Change a row's status; fails with label ``row`` unless it is ``before``.

    ``silent_since``: the ``due`` that the row must still have.
    """
    update = _update(tenant, plan, device_id)
    update.set("status", text(after)).set("state_sk", text(row_state(after, device_id)))
    _edit(update, plan, edit)
    update.require("#status = :before", before=text(str(before)))
    if silent_since is not None:
        update.require("#due_sk = :silent_since", silent_since=text(silent_since))
    tx.write(update, label="row")


def edit(tenant: TenantId, plan: Plan, device_id: str, wanted: Edit) -> None:
    """Change details of an existing row alone."""
    update = _update(tenant, plan, device_id)
    _edit(update, plan, wanted)
    if update.changes_something:
        update.require("attribute_exists(#pk)").run()


def store_error(tenant: TenantId, plan: Plan, device_id: str, error: str | None) -> None:
    """Record that the device has sent a log, and its first error."""
    update = _update(tenant, plan, device_id).set("log", {"BOOL": True})
    if error is None:
        update.remove("error")
    else:
        update.set("error", text(error))
    update.require("attribute_exists(#pk)").run()


def check_again(tenant: TenantId, plan: Plan, seen: Row, due_at: datetime | None) -> None:
    """Set when the schedule has to check the row again (None: never), unless that has changed meanwhile."""
    actions = due.never() if due_at is None else due.at(plan.id, due_at)
    row_ref(tenant, plan, seen.device_id).update_if(actions, RowItem.due_sk == seen.due)


def delete_from_history(tx: Transaction, tenant: TenantId, plan: Plan, device_id: str, now: datetime) -> None:
    """Mark a row as deleted from its device's history."""
    tx.update(row_ref(tenant, plan, device_id), [RowItem.deleted.set(now)], RowItem.pk.exists(), label="row")


def _update(tenant: TenantId, plan: Plan, device_id: str) -> Update:
    return Update(table(), row_pk(tenant, plan, device_id), row_sk(device_id))


def _edit(update: Update, plan: Plan, edit: Edit) -> None:
    if edit.started is not None:
        update.set_first("started", time(edit.started))
    if edit.finished is not None:
        update.set("finished", time(edit.finished))
    if edit.forget_substate:
        update.remove("substate")
    elif edit.substate is not None:
        update.set("substate", text(edit.substate))
    if edit.forget_error:
        update.remove("error")
    if edit.attempts is not None:
        update.set("attempts", number(edit.attempts))
    if edit.never_due:
        update.remove("due_pk", "due_sk")
    elif edit.due is not None:
        due_pk, due_sk = due.key(plan.id, edit.due)
        update.set("due_pk", text(due_pk)).set("due_sk", text(due_sk))

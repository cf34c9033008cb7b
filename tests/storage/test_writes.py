"""Writes that are built by hand equal those that the models would make."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.deployments.rules import gates
from chalicelib.deployments.rules.deployment import Plan
from chalicelib.deployments.rules.phases import Phase
from chalicelib.deployments.rules.polling import Current
from chalicelib.deployments.rules.row import Edit, Row
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.shapes.rollout import Rollout
from chalicelib.deployments.tables import counters, heads, rows
from chalicelib.deployments.tables.counters import Delta, Loan, Step
from chalicelib.deployments.tables.items import (
    CounterItem,
    RowItem,
    counter_ref,
    device_history,
    number_of,
    row_ref,
    row_state,
)
from chalicelib.fleet.head import Head
from chalicelib.fleet.tables import DeviceHead
from chalicelib.storage import due, keys
from chalicelib.storage.base import Item
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import Transaction
from chalicelib.storage.writes import Update, number

TENANT = TenantId("t")
DEVICE = "00000000-0000-4000-8000-000000000001"
NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)

texts = st.text(min_size=1, max_size=9)
moments = st.none() | st.just(NOW)
statuses = st.sampled_from(list(Status))


def plan_of(parts: int = 0, phases: int = 0, rollout: Rollout | None = None) -> Plan:
    return Plan(
        id="p",
        kind="software",
        name="d",
        artifact_name="a",
        created=NOW,
        size=9,
        sequence=7,
        parts=parts,
        shards=1,
        phases=(Phase(NOW),) * phases,
        rollout=rollout,
        filter={"id": "", "name": "", "terms": []},
        lock="l",
    )


def only(fill: Callable[[Transaction], object]) -> Any:
    """The only write of a transaction: its kind and arguments."""
    tx = Transaction()
    fill(tx)
    [(_, kind, request)] = tx._writes
    return kind, request


def plain(written: Any) -> Any:
    """A write without the names of its placeholders, and without the order of its clauses."""
    kind, request = written
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})

    def filled(text: str) -> str:
        text = re.sub(r"#\w+", lambda found: names[found[0]], text)
        text = re.sub(r":\w+", lambda found: repr(values[found[0]]), text)
        return re.sub(r"\s+", " ", re.sub(r"[()]", " ", text)).strip()

    update = re.split(r" ?\b(SET|ADD|REMOVE) ", " " + request.get("UpdateExpression", ""))[1:]
    clauses = {
        (how, filled(clause.strip()))
        for how, several in zip(update[::2], update[1::2], strict=True)
        for clause in re.split(r", (?![^(]*\))", several)
    }
    condition = {filled(each) for each in request.get("ConditionExpression", "").split(" AND ")}
    rest = {name: value for name, value in request.items() if not name.endswith(("Expression", "Names", "Values"))}
    return kind, rest, clauses, condition


def by_model(item: Item, actions: list[Action], condition: Condition) -> Any:
    return plain(only(lambda tx: tx.update(item, actions, condition)))


@given(
    revision=st.integers(0, 99),
    decided=st.integers(0, 99),
    newest=st.integers(0, 99),
    status=st.none() | statuses,
    queue=st.lists(st.tuples(st.integers(100, 200), texts), max_size=2),
)
def test_changes_of_a_head(revision: int, decided: int, newest: int, status: Status | None, queue: Any):
    head = Head("T#t#D#d", "HEAD", revision=revision, decided=decided, queue=[[300, "x"]])
    current = None if status is None else Current(d="p", q=1, s=status, a="a")
    change = heads.changed(head, current=current, decided=newest, queue=queue)

    actions: list[Action] = [
        DeviceHead.revision.set(revision + 1),
        DeviceHead.current.remove() if current is None else DeviceHead.current.set(current),
        DeviceHead.queue.set(queue) if queue else DeviceHead.queue.remove(),
    ]
    if newest > decided:
        actions.append(DeviceHead.decided.set(newest))
    expected = by_model(
        DeviceHead(head.pk, head.sk), actions, DeviceHead.pk.exists() & (DeviceHead.revision == revision)
    )
    assert plain(only(lambda tx: heads.change(tx, change))) == expected


edits = st.builds(
    Edit,
    started=moments,
    finished=moments,
    substate=st.none() | texts,
    attempts=st.none() | st.integers(1, 9),
    forget_substate=st.booleans(),
    forget_error=st.booleans(),
    due=moments,
    never_due=st.booleans(),
)


def actions_of(edit: Edit) -> list[Action]:
    actions: list[Action] = []
    if edit.started is not None:
        actions.append(RowItem.started.set(RowItem.started | edit.started))
    if edit.finished is not None:
        actions.append(RowItem.finished.set(edit.finished))
    if edit.forget_substate:
        actions.append(RowItem.substate.remove())
    elif edit.substate is not None:
        actions.append(RowItem.substate.set(edit.substate))
    if edit.forget_error:
        actions.append(RowItem.error.remove())
    if edit.attempts is not None:
        actions.append(RowItem.attempts.set(edit.attempts))
    if edit.never_due:
        actions += due.never()
    elif edit.due is not None:
        actions += due.at("p", edit.due)
    return actions


@given(edits, statuses, statuses, st.none() | texts, st.sampled_from([0, 256]))
def test_changes_of_a_row(edit: Edit, before: Status, after: Status, silent_since: str | None, parts: int):
    plan = plan_of(parts)

    actions: list[Action] = [
        RowItem.status.set(str(after)),
        RowItem.state_sk.set(row_state(after, DEVICE)),
        *actions_of(edit),
    ]
    condition: Condition = RowItem.status == str(before)
    if silent_since is not None:
        condition &= RowItem.due_sk == silent_since
    assert plain(
        only(lambda tx: rows.change(tx, TENANT, plan, DEVICE, before, after, edit, silent_since=silent_since))
    ) == by_model(row_ref(TENANT, plan, DEVICE), actions, condition)


@given(
    status=statuses,
    finished=moments,
    artifact=st.none() | texts,
    phase=st.none() | st.integers(0, 9),
    device_type=st.none() | texts,
    substate=st.none() | texts,
    downgrade=st.none() | texts,
    due_at=moments,
    replaces=st.booleans(),
)
def test_new_rows(
    *,
    status: Status,
    finished: datetime | None,
    artifact: str | None,
    phase: int | None,
    device_type: str | None,
    substate: str | None,
    downgrade: str | None,
    due_at: datetime | None,
    replaces: bool,
):
    plan = plan_of()
    row = Row(
        deployment_id="p",
        device_id=DEVICE,
        status=status,
        sequence=7,
        created=NOW,
        finished=finished,
        artifact=artifact,
        phase=phase,
        device_type=device_type,
        substate=substate,
        downgrade=downgrade,
    )

    item = row_ref(TENANT, plan, DEVICE)
    item.status, item.sequence, item.created, item.finished = str(status), 7, NOW, finished
    item.artifact, item.phase, item.device_type = artifact, phase, device_type
    item.substate, item.downgrade = substate, downgrade
    if due_at is not None:
        item.due_pk, item.due_sk = due.key("p", due_at)
    item.history_pk, item.history_sk = device_history(TENANT, DEVICE), keys.sort(keys.number(7), "p")
    item.state_pk, item.state_sk = item.pk, row_state(status, DEVICE)
    condition = RowItem.deleted.exists() if replaces else RowItem.pk.does_not_exist()
    assert plain(only(lambda tx: rows.put(tx, TENANT, plan, row, due_at, replaces=replaces))) == plain(
        only(lambda tx: tx.put(item, condition))
    )


def of_phase(delta: Delta, *, counts_results: bool) -> list[Action]:
    """The actions for the numbers of the row's phase."""
    if delta.phase is None:
        return []
    changed = [("phases", 1)] if delta.is_new else []
    ended = [gates.result_of(delta.before), gates.result_of(delta.after)]
    if counts_results and ended[0] != ended[1]:
        changed += [(name, amount) for name, amount in zip(ended, (-1, 1), strict=True) if name is not None]
    counted = [(getattr(CounterItem, name)[delta.phase], amount) for name, amount in changed]
    return [number.set(number + amount) for number, amount in counted]


@given(
    before=st.none() | statuses,
    after=statuses,
    begins=st.booleans(),
    size=st.integers(0, 10**9),
    phase=st.none() | st.integers(0, 3),
    completes=st.booleans(),
    large=st.booleans(),
    upto=st.none() | st.integers(1, 1000),
    lent=st.integers(0, 3),
    rollout=st.none() | st.just(Rollout()),
)
def test_counting(  # noqa: PLR0917  # the parts of a change
    before: Status | None,
    after: Status,
    begins: bool,
    size: int,
    phase: int | None,
    completes: bool,  # drawn by name
    large: bool,
    upto: int | None,
    lent: int,
    rollout: Rollout | None,
):
    plan = plan_of(256 if large else 0, 4, rollout)
    delta = Delta(before=before, after=after, is_new=before is None, begins=begins, size=size, phase=phase, upto=upto)
    loan = Loan(lent, 5, creates=False) if large and lent and upto is not None else None
    item = counter_ref(TENANT, plan, number_of(plan, DEVICE))

    actions: list[Action] = [getattr(CounterItem, name).add(amount) for name, amount in delta.numbers().items()]
    condition = CounterItem.closed.does_not_exist()
    if begins:
        condition &= CounterItem.held.does_not_exist()
    if before is not None and before.final and not after.final:
        condition &= CounterItem.complete.does_not_exist()
    if completes:
        actions.append(CounterItem.complete.set(True))
        condition &= CounterItem.complete.does_not_exist() & (CounterItem.done == CounterItem.last)
    elif delta.finishes:
        condition &= CounterItem.complete.exists() | (CounterItem.done < CounterItem.last)
    actions += of_phase(delta, counts_results=rollout is not None)
    if large:
        condition &= CounterItem.pk.exists()
        if upto is not None and loan is None:
            actions.append(CounterItem.begun.add(1))
            condition &= CounterItem.begun < plan.share(number_of(plan, DEVICE), upto)
        elif loan is not None and lent > 1:
            actions.append(CounterItem.begun.add(1 - lent))
    expected = by_model(item, actions, condition) if actions else plain(only(lambda tx: tx.check(item, condition)))
    step = Step(completes=completes, loan=loan)
    assert plain(only(lambda tx: counters.count(tx, TENANT, plan, DEVICE, delta, step))) == expected


def test_two_values_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two values are called n"):
        Update("t", "a", "b").add("n", 1).require("#n < :n", n=number(2))

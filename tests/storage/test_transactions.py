"""Transactions: atomic, with named failures."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pynamodb.attributes import BinaryAttribute, NumberAttribute

from chalicelib.call import Running
from chalicelib.errors import Unavailable
from chalicelib.storage import dynamodb
from chalicelib.storage.base import Item
from chalicelib.storage.dynamodb import Database
from chalicelib.storage.transactions import ConditionFailed, Transaction
from chalicelib.storage.transport import Refused, Transport
from tests.storage.conftest import TABLE
from tests.storage.stage import Play, Stage, answer, cut, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    import botocore.session


class Row(Item):
    """An item of the test's table."""

    class Meta:
        table_name = TABLE

    number = NumberAttribute(default=0)
    data = BinaryAttribute(legacy_encoding=False, null=True)


def rows(pk: str) -> dict[str, int]:
    return {row.sk: int(row.number) for row in Row.query(pk, consistent_read=True)}


def test_an_update_without_actions_is_refused():
    """DynamoDB refuses an empty UpdateExpression, and the embedded engine does not."""
    tx = Transaction()

    with pytest.raises(ValueError, match=r"use check\(\)"):
        tx.update(Row("p", "a"), [], Row.pk.exists())

    assert len(tx) == 0


class TestOnTheEngine:
    """With real conditions."""

    @pytest.fixture(autouse=True)
    def engine(self, table: str) -> None:
        """The table exists."""

    def test_every_kind_of_write(self, pk: str):
        Row(pk, "old", number=1).save()
        Row(pk, "gone").save()
        tx = Transaction()
        tx.put(Row(pk, "new", number=7), Row.pk.does_not_exist())
        tx.update(Row(pk, "old"), [Row.number.add(1)], Row.number == 1)
        tx.delete(Row(pk, "gone"), Row.pk.exists())
        tx.check(Row(pk, "none"), Row.pk.does_not_exist())

        tx.commit()

        assert len(tx) == 4
        assert rows(pk) == {"new": 7, "old": 2}

    def test_nothing_to_write(self):
        Transaction().commit()

    def test_late_writes_are_rebuilt_if_only_they_fail(self, pk: str):
        Row(pk, "chain", number=0).save()
        reads = []

        def link(late: Transaction) -> None:
            last = int(Row.get(pk, "chain", consistent_read=True).number)
            reads.append(last)
            if len(reads) == 1:  # another writer is faster once
                Row(pk, "chain").update([Row.number.set(last + 1)])
            late.update(Row(pk, "chain"), [Row.number.set(last + 1)], Row.number == last, label="link")

        tx = Transaction()
        tx.put(Row(pk, "change"), Row.pk.does_not_exist(), label="change")
        tx.late(link)
        tx.commit()

        assert reads == [0, 1]
        assert rows(pk) == {"chain": 2, "change": 0}

        reads.clear()
        again = Transaction()
        again.put(Row(pk, "change"), Row.pk.does_not_exist(), label="change")
        again.late(link)
        with pytest.raises(ConditionFailed) as caught:
            again.commit()
        assert set(caught.value.failed) == {"change"}

    def test_failed_conditions_are_named_by_label_with_the_current_item(self, pk: str):
        for sk in "abcd":
            Row(pk, sk, number=5, data=b"\0\xff").save()
        tx = Transaction()
        tx.put(Row(pk, "a"), Row.pk.does_not_exist(), label="put")
        tx.update(Row(pk, "b"), [Row.number.add(1)], Row.number == 4, label="update")
        tx.delete(Row(pk, "c"), Row.number == 4, label="delete")
        tx.check(Row(pk, "d"), Row.number == 4, label="check")
        tx.update(Row(pk, "e"), [Row.number.add(1)], Row.pk.exists(), label="nothing there")
        tx.put(Row(pk, "f"), Row.pk.does_not_exist(), label="fine")
        tx.check(Row(pk, "g"), Row.pk.exists())

        with pytest.raises(ConditionFailed) as caught:
            tx.commit()

        def as_it_is(sk: str) -> dict[str, Any]:
            return {"pk": {"S": pk}, "sk": {"S": sk}, "number": {"N": "5"}, "data": {"B": b"\0\xff"}}

        assert caught.value.failed == {
            "put": as_it_is("a"),
            "update": as_it_is("b"),
            "delete": as_it_is("c"),
            "check": as_it_is("d"),
            "nothing there": None,
            "#6": None,
        }
        assert str(caught.value) == "conditions failed: #6, check, delete, nothing there, put, update"
        assert rows(pk) == dict.fromkeys("abcd", 5)

    def test_an_item_can_be_read_from_the_failure(self, pk: str):
        Row(pk, "a", number=5, data=b"\0").save()
        tx = Transaction()
        tx.put(Row(pk, "a"), Row.pk.does_not_exist(), label="put")

        with pytest.raises(ConditionFailed) as caught:
            tx.commit()

        found = Row.from_raw_data(caught.value.failed["put"] or {})
        assert (found.sk, found.number, found.data) == ("a", 5, b"\0")

    @pytest.mark.refused_by_aws
    def test_an_invalid_transaction_is_a_bug(self, pk: str):
        tx = Transaction()
        tx.put(Row(pk, "a"))
        tx.put(Row(pk, "a"))

        with pytest.raises(Refused, match="ValidationException"):
            tx.commit()

        assert rows(pk) == {}

    def test_concurrent_counts_are_exact(self, pk: str):
        def add(number: int) -> None:
            tx = Transaction()
            tx.update(Row(pk, "total"), [Row.number.add(1)])
            tx.put(Row(pk, f"{number:02}", number=1), Row.pk.does_not_exist())
            tx.commit()

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(add, range(40)))

        found = rows(pk)
        assert found.pop("total") == len(found) == 40


def cancelled(*codes: str) -> Play:
    """The cancellation of a transaction, with a reason for each write."""
    return answer(
        {"__type": "a#TransactionCanceledException", "CancellationReasons": [{"Code": code} for code in codes]}, 400
    )


CONFLICTS = {
    "conflict": cancelled("None", "TransactionConflict"),
    "throttled": cancelled("ThrottlingError", "None"),
    "throttled by capacity": cancelled("None", "ProvisionedThroughputExceeded"),
    "several at once": cancelled("ProvisionedThroughputExceeded", "TransactionConflict"),
    "conflict with the item itself": refusal("TransactionConflictException"),
    "the first send is still at work": refusal("TransactionInProgressException"),
    "answer lost": cut,
}


class TestOnTheStage:
    """With simulated conflicts."""

    @pytest.fixture(autouse=True)
    def on_stage(
        self, stage: Stage, session: botocore.session.Session, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[None]:
        """The process's connection goes to the stage, and retries without pauses."""
        with monkeypatch.context() as patch:
            seam = Database()
            seam._transport = Transport("eu-west-1", stage.url)
            patch.setattr(dynamodb, "shared", lambda: seam)
            patch.setattr("random.uniform", lambda low, _: low)
            patch.setattr(Row, "_connection", None)
            yield
            seam.close()

    @pytest.fixture
    def tx(self) -> Transaction:
        found = Transaction()
        found.put(Row("p", "a"), Row.pk.does_not_exist(), label="a")
        found.put(Row("p", "b"), Row.pk.does_not_exist(), label="b")
        return found

    @pytest.mark.parametrize("play", CONFLICTS.values(), ids=CONFLICTS)
    def test_a_conflict_is_retried_as_the_same_transaction(self, stage: Stage, tx: Transaction, play: Play):
        stage.will(play, play, answer({}))

        tx.commit()

        first, *others = [json.loads(body) for _, body in stage.visits]
        assert others == [first, first]
        assert first["ClientRequestToken"]

    def test_two_commits_are_two_transactions(self, stage: Stage, tx: Transaction):
        tx.commit()
        tx.commit()

        one, other = (json.loads(body)["ClientRequestToken"] for _, body in stage.visits)
        assert one != other

    def test_callbacks_run_once_after_the_commit(self, stage: Stage, tx: Transaction):
        called: list[int] = []

        def call() -> None:
            called.append(len(stage.visits))

        tx.then(call)
        tx.then(call)
        stage.will(cancelled("TransactionConflict", "None"))
        tx.commit()

        assert called == [2]

    def test_callbacks_do_not_run_after_a_failure(self, stage: Stage, tx: Transaction):
        called: list[int] = []
        tx.then(lambda: called.append(1))
        stage.will(cancelled("ConditionalCheckFailed", "None"))

        with pytest.raises(ConditionFailed):
            tx.commit()

        assert called == []

    def test_a_permanent_conflict(self, stage: Stage, tx: Transaction):
        stage.will(*[cancelled("TransactionConflict", "None")] * 50)

        with pytest.raises(Unavailable):
            tx.commit()

        assert 4 <= len(stage.visits) <= 20

    def test_a_failed_condition_and_a_conflict_are_a_failed_condition(self, stage: Stage, tx: Transaction):
        stage.will(cancelled("TransactionConflict", "ConditionalCheckFailed"))

        with pytest.raises(ConditionFailed) as caught:
            tx.commit()

        assert caught.value.failed == {"b": None}
        assert len(stage.visits) == 1

    def test_permanent_throttling(self, stage: Stage, tx: Transaction):
        stage.will(*[refusal("ProvisionedThroughputExceededException")] * 50)

        with pytest.raises(Unavailable):
            tx.commit()

    def test_a_permanent_cancellation_and_a_conflict_are_permanent(self, stage: Stage, tx: Transaction):
        stage.will(cancelled("TransactionConflict", "ValidationError"))

        with pytest.raises(Refused):
            tx.commit()

        assert len(stage.visits) == 1

    def test_there_is_no_pause_near_the_end_of_a_call(self, tx: Transaction, stage: Stage, monkeypatch):
        stage.will(*[cancelled("TransactionConflict", "None")] * 9)
        ends = SimpleNamespace(get_remaining_time_in_millis=lambda: 3_000)

        with monkeypatch.context() as patch, Running("id", ends):
            patch.setattr("random.uniform", lambda _, high: 1e9 * high)
            with pytest.raises(Unavailable):
                tx.commit()

        assert len(stage.visits) == 1

    @pytest.mark.parametrize("code", ["ValidationError", "ItemCollectionSizeLimitExceeded"])
    def test_other_cancellations_are_bugs(self, stage: Stage, tx: Transaction, code: str):
        stage.will(cancelled(code, "None"))

        with pytest.raises(Refused, match="TransactionCanceledException"):
            tx.commit()

        assert len(stage.visits) == 1

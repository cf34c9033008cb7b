"""A write is repeated after its answer was lost: whether the caller learns correctly if it was made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pynamodb.attributes import MapAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.storage.base import BlobAttribute, Item, TimeAttribute
from tests.storage.conftest import TABLE
from tests.support import faults, lag

pytestmark = pytest.mark.usefixtures("table")

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


class Lease(Item):
    """An item that one caller may hold for a while."""

    class Meta:
        table_name = TABLE

    owner = UnicodeAttribute(null=True)
    ends = TimeAttribute(null=True)
    news = NumberAttribute(null=True)
    blob = BlobAttribute(null=True)
    nested: MapAttribute[str, str] = MapAttribute(null=True)


def lost(write: Callable[[], bool]) -> bool:
    """What ``write`` returns if the answer to its first request is lost."""
    with faults.at(1, faults.FAULTS["lost-answer"]) as so_far:
        result = write()
    assert so_far.played == 1
    return result


FREE = Lease.owner.does_not_exist()


def test_a_made_update_is_true_and_returns_the_new_values(pk: str):
    Lease(pk, "a", news=1).save()
    item = Lease(pk, "a")
    actions = [Lease.owner.set("me"), Lease.ends.set(NOW), Lease.blob.set({"a": [1, "ü"]}), Lease.news.remove()]

    assert lost(lambda: item.update_if(actions, FREE)) is True

    assert item.serialize() == Lease(pk, "a", owner="me", ends=NOW, blob={"a": [1, "ü"]}).serialize()
    assert item.serialize() == Lease.get(pk, "a", consistent_read=True).serialize()


@pytest.mark.parametrize(
    ("stored", "actions"),
    [
        ({"owner": "she", "ends": NOW}, [Lease.owner.set("me"), Lease.ends.set(NOW)]),
        ({"owner": "me"}, [Lease.owner.set("me"), Lease.ends.set(NOW)]),
        ({"owner": "me", "news": 1}, [Lease.owner.set("me"), Lease.news.remove()]),
    ],
    ids=["another's", "a part", "not removed"],
)
def test_an_update_that_was_not_made_is_false(pk: str, stored: dict[str, Any], actions: list[Action]):
    Lease(pk, "a", **stored).save()

    assert lost(lambda: Lease(pk, "a").update_if(actions, FREE)) is False

    assert Lease(pk, "a", **stored).serialize() == Lease.get(pk, "a", consistent_read=True).serialize()


def test_an_update_of_a_deleted_item_is_false(pk: str):
    assert lost(lambda: Lease(pk, "a").update_if([Lease.news.remove()], Lease.pk.exists())) is False


def test_a_repeated_count_does_not_exceed_its_limit(pk: str):
    few = Lease.news.does_not_exist() | (Lease.news < 1)

    assert lost(lambda: Lease(pk, "a").update_if([Lease.news.add(1)], few)) is False

    assert Lease.get(pk, "a", consistent_read=True).news == 1


def test_a_change_inside_a_map_is_false_because_it_cannot_be_verified(pk: str):
    Lease(pk, "a", nested={"x": "1"}).save()
    x = Path(["nested", "x"])

    assert lost(lambda: Lease(pk, "a").update_if([x.set("2")], x == "1")) is False


def test_a_made_deletion_is_true(pk: str):
    Lease(pk, "a", owner="me").save()

    assert lost(lambda: Lease(pk, "a").delete_if(Lease.owner == "me")) is True

    assert Lease.find(pk, "a") is None


def test_a_deletion_that_another_caller_made_before_is_false(pk: str):
    """Exactly one of two callers learns that it has deleted the item, whichever answer is lost."""
    Lease(pk, "a").save()
    assert Lease(pk, "a").delete_if(Lease.pk.exists()) is True

    assert lost(lambda: Lease(pk, "a").delete_if(Lease.pk.exists())) is False


def test_lagging_reads_are_simulated(pk: str):
    """:func:`lag.behind` works as other tests expect."""
    Lease(pk, "a", news=1).save()
    with lag.behind():
        Lease(pk, "a").update([Lease.news.set(2)])
        Lease(pk, "b", news=3).save()
        late = [
            Lease.get(pk, "a").news,
            [each.news for each in Lease.query(pk)],
            len(list(Lease.batch_get([(pk, "b")]))),
        ]
        now = [each.news for each in Lease.query(pk, consistent_read=True)]

    assert (late, now) == ([1, [1], 0], [2, 3])
    assert [each.news for each in Lease.query(pk)] == [2, 3]

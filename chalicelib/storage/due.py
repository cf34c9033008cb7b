"""The index ``due``: what the schedule has to check, by time, for all tenants.

It is sparse: it contains only items with ``due_pk`` and ``due_sk``, so the cost of a run depends on what is due. It has
several partitions, because a partition of an index takes 1,000 writes a second.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.storage import keys
from chalicelib.storage.base import Item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from pynamodb.expressions.update import Action

T = TypeVar("T")
_PARTS: Final = 8


class DueIndex(GlobalSecondaryIndex[Any]):
    """The index; an item class has it as ``due``, with the two attributes."""

    class Meta:
        """The index."""

        index_name = "due"
        projection = KeysOnlyProjection()

    due_pk = UnicodeAttribute(hash_key=True)
    due_sk = UnicodeAttribute(range_key=True)


class _Due(Item):
    due_pk = UnicodeAttribute(null=True)
    due_sk = UnicodeAttribute(null=True)


def key(owner: str, when: datetime) -> tuple[str, str]:
    """``due_pk`` and ``due_sk`` of a new item. Items with the same ``owner``, an id, are in the same partition."""
    return _part(hashlib.sha256(owner.encode()).digest()[0] % _PARTS), keys.time(when)


def _part(number: int) -> str:
    return keys.shared("DUE", str(number))


def at(owner: str, when: datetime) -> list[Action]:
    """The actions that put an item into the index at a time, or move it."""
    due_pk, due_sk = key(owner, when)
    return [_Due.due_pk.set(due_pk), _Due.due_sk.set(due_sk)]


def never() -> list[Action]:
    """The actions that take an item out of the index."""
    return [_Due.due_pk.remove(), _Due.due_sk.remove()]


def found(index: DueIndex, now: datetime, *, limit: int) -> Iterator[tuple[str, str]]:
    """The keys of what is due by ``now``, at most ``limit`` per partition (eventually consistent)."""
    for part in range(_PARTS):
        for row in index.query(_part(part), _Due.due_sk <= keys.time(now), limit=limit):
            yield row.pk, row.sk


def work_off(items: Iterable[T], work: Callable[[T], None]) -> None:
    """Call ``work`` for each due item. An item that fails does not delay others, and stays due.

    Raises:
        ExceptionGroup: all failures together; the schedule logs them and fails.
    """
    failed: list[Exception] = []
    for item in items:
        try:
            work(item)
        except Exception as error:  # noqa: BLE001  # raised again below
            failed.append(error)
    if failed:
        raise ExceptionGroup("some of what is due could not be worked off", failed)


def everything(index: DueIndex) -> Iterator[tuple[str, str]]:
    """The keys of everything in the index."""
    for part in range(_PARTS):
        for row in index.query(_part(part)):
            yield row.pk, row.sk

"""What the schedule has to look at: an index by time over a table's items, of all tenants.

It is sparse: only items with ``due_pk`` and ``due_sk`` are in it, so what a tick costs follows what is due. It is in
parts, since a partition of an index takes 1,000 writes a second.
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
    """The index; an item's class has one as ``due``, and the two attributes."""

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
    """``due_pk`` and ``due_sk`` of a new item; what has the same ``owner``, an id, is in the same part."""
    return _part(hashlib.sha256(owner.encode()).digest()[0] % _PARTS), keys.time(when)


def _part(number: int) -> str:
    return keys.shared("DUE", str(number))


def at(owner: str, when: datetime) -> list[Action]:
    """What puts an item into the index, or moves it there."""
    due_pk, due_sk = key(owner, when)
    return [_Due.due_pk.set(due_pk), _Due.due_sk.set(due_sk)]


def never() -> list[Action]:
    """What takes an item out of the index."""
    return [_Due.due_pk.remove(), _Due.due_sk.remove()]


def found(index: DueIndex, now: datetime, *, limit: int) -> Iterator[tuple[str, str]]:
    """The keys of what is due by ``now``, at most ``limit`` of each part; the index may lag behind the items."""
    for part in range(_PARTS):
        for row in index.query(_part(part), _Due.due_sk <= keys.time(now), limit=limit):
            yield row.pk, row.sk


def work_off(items: Iterable[T], work: Callable[[T], None]) -> None:
    """Do ``work`` for each of what is due. What fails keeps no other from its turn, and stays due.

    Raises:
        ExceptionGroup: of all that failed, for the schedule to log and to fail with.
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
    """The keys of all that is in the index."""
    for part in range(_PARTS):
        for row in index.query(_part(part)):
            yield row.pk, row.sk

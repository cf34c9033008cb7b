"""Lanes: each integration's events on their way out, in order, in the hands of one worker at a time.

A waiting event is in the index ``due`` from the moment it is written, so that it is found if nobody was told of it.
Once a worker has looked at it, it may leave the index (:func:`park`): the lane itself is in the index then, with the
time of the next attempt. A backlog of any size so comes due as one item.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, cast

import msgspec
from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.integrations.tables import IntegrationsItem
from chalicelib.integrations.tables.events import KEPT, Place
from chalicelib.storage import due, keys
from chalicelib.storage.base import TimeAttribute
from chalicelib.storage.due import DueIndex
from chalicelib.storage.keys import TenantId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pynamodb.expressions.update import Action

    from chalicelib.storage.transactions import Transaction

WAITING = "waiting"
"""Label of writes of a waiting event."""
_LANE, _WAITS, _DONE = "LANE", "W", "D"
_GRACE = timedelta(seconds=60)
"""How long a new event's message may take before the schedule sends another."""
_PAGE = 100


class DueItem(IntegrationsItem):
    """What can be in the index."""

    due = DueIndex()

    due_pk = UnicodeAttribute(null=True)
    due_sk = UnicodeAttribute(null=True)


class LaneItem(DueItem):
    """The state of an integration's lane; there is none before its first event."""

    lease = UnicodeAttribute(null=True)
    """Of the worker that has the lane."""
    lease_ends = TimeAttribute(null=True)
    again = BooleanAttribute(null=True)
    """There was news while a worker had the lane."""
    failures = NumberAttribute(default=0)
    """How often in a row the receiver was down."""
    closed_until = TimeAttribute(null=True)

    def is_closed(self, now: datetime) -> bool:
        """Whether the receiver was down a moment ago, and is left alone for now."""
        closed_until = cast("datetime | None", self.closed_until)
        return closed_until is not None and now < closed_until


class WaitingItem(DueItem):
    """An event that waits."""

    subject = UnicodeAttribute()
    attempts = NumberAttribute(default=0)
    retry_at = TimeAttribute(null=True)
    time = TimeAttribute()

    @property
    def place(self) -> Place:
        """Where the event is."""
        return Place.of(self.sk)

    @property
    def next_attempt(self) -> datetime | None:
        """Not before then; None: at once."""
        return cast("datetime | None", self.retry_at)


class DoneItem(IntegrationsItem):
    """An event that needs nothing any more."""

    expires_at = NumberAttribute()


class Lane(msgspec.Struct, frozen=True):
    """Whose lane."""

    tenant: TenantId
    integration: str

    @property
    def partition(self) -> str:
        """The partition key."""
        return keys.partition(self.tenant, "L", self.integration)


def put_new(tx: Transaction, lane: Lane, place: Place, subject: str, time: datetime) -> None:
    """Add a waiting event."""
    item = WaitingItem(lane.partition, keys.sort(_WAITS, place.order, place.event), subject=subject, time=time)
    item.due_pk, item.due_sk = due.key(lane.integration, time + _GRACE)
    tx.put(item, label=WAITING)


def waiting(lane: Lane) -> Iterator[WaitingItem]:
    """The events that wait, the oldest first, as they are now."""
    prefix = WaitingItem.sk.startswith(f"{_WAITS}#")
    return iter(WaitingItem.query(lane.partition, prefix, consistent_read=True, page_size=_PAGE))


def newest_in_index(lane: Lane) -> Iterator[WaitingItem]:
    """The newest events that wait, up to the first that is not in the index any more; the newest first."""
    prefix = WaitingItem.sk.startswith(f"{_WAITS}#")
    rows = WaitingItem.query(lane.partition, prefix, consistent_read=True, scan_index_forward=False, page_size=_PAGE)
    return takewhile(lambda row: row.due_pk is not None, rows)


def park(item: WaitingItem) -> None:
    """Take a waiting event out of the index, if it is in there: its lane stands for it."""
    if item.due_pk is not None:
        item.update_if(due.never(), WaitingItem.pk.exists())


def tried(tx: Transaction, item: WaitingItem, retry_at: datetime | None) -> None:
    """Count an attempt, with the time before which there is no other; out of the index, as by :func:`park`."""
    actions = [WaitingItem.attempts.add(1), *due.never()]
    if retry_at is not None:
        actions.append(WaitingItem.retry_at.set(retry_at))
    tx.update(WaitingItem(item.pk, item.sk), actions, WaitingItem.pk.exists(), label=WAITING)


def done(tx: Transaction, item: WaitingItem) -> None:
    """An event waits no more; it stays listed."""
    tx.delete(WaitingItem(item.pk, item.sk), WaitingItem.pk.exists(), label=WAITING)
    place = item.place
    expires = int((item.time + KEPT).timestamp())
    tx.put(DoneItem(item.pk, keys.sort(_DONE, place.order, place.event), expires_at=expires), label="done")


def drop(item: WaitingItem) -> None:
    """Forget that an event waits: there is nobody, or nothing, to tell."""
    item.delete()


def places(lane: Lane, start: int, stop: int) -> list[Place]:
    """Rows ``start`` to ``stop`` of the integration's events, the newest first, waiting or done.

    What waits is read first: an event that is done meanwhile is then found twice, which shows, and never missed.
    """
    found = {
        Place.of(item.sk): None
        for prefix in (_WAITS, _DONE)
        for item in DoneItem.query(
            lane.partition,
            DoneItem.sk.startswith(f"{prefix}#"),
            consistent_read=True,
            scan_index_forward=False,
            limit=stop,
        )
    }
    return sorted(found, key=lambda place: (place.order, place.event), reverse=True)[start:stop]


# --- who has a lane -------------------------------------------------------------------------------


def take(lane: Lane, lease: str, now: datetime, life: timedelta) -> LaneItem | None:
    """Have the lane for yourself for ``life``; None if another worker has it, who then looks once more.

    Should the worker die, the lane comes due when its lease ends.
    """
    item = LaneItem(lane.partition, _LANE)
    free = LaneItem.lease.does_not_exist() | (LaneItem.lease_ends <= now)
    actions = [
        LaneItem.lease.set(lease),
        LaneItem.lease_ends.set(now + life),
        *due.at(lane.integration, now + life),
        LaneItem.again.remove(),
    ]
    # Twice: the lane may be given back between the two writes.
    for _ in range(2):
        if item.update_if(actions, free):
            return item
        if item.update_if([LaneItem.again.set(True)], LaneItem.lease_ends > now):
            return None
    return None


def look_again(lane: Lane, lease: str) -> bool:
    """Whether there was news since the lane was taken, or since the last time that this was asked."""
    item = LaneItem(lane.partition, _LANE)
    return item.update_if([LaneItem.again.remove()], (LaneItem.lease == lease) & LaneItem.again.exists())


def give_back(lane: Lane, lease: str, wanted: datetime | None, *, failures: int, closed_until: datetime | None) -> bool:
    """Let others have the lane, which has something to do at ``wanted``, if at all. False if there was news meanwhile.

    Does nothing if the lease is over and another worker has the lane.
    """
    item = LaneItem(lane.partition, _LANE)
    actions: list[Action] = [
        LaneItem.lease.remove(),
        LaneItem.lease_ends.remove(),
        LaneItem.failures.set(failures),
        LaneItem.closed_until.set(closed_until) if closed_until else LaneItem.closed_until.remove(),
    ]
    actions += due.at(lane.integration, wanted) if wanted is not None else due.never()
    mine = LaneItem.lease == lease
    return item.update_if(actions, mine & LaneItem.again.does_not_exist()) or not look_again(lane, lease)


def open_again(lane: Lane) -> None:
    """Forget that the receiver was down, unless a worker is finding that out."""
    actions = [LaneItem.closed_until.remove(), LaneItem.failures.set(0)]
    LaneItem(lane.partition, _LANE).update_if(actions, LaneItem.closed_until.exists() & LaneItem.lease.does_not_exist())


def failing(lanes: Iterable[Lane]) -> int:
    """How many have a receiver that was down at the last attempt; 100 per round trip, eventually consistent."""
    wanted = [(lane.partition, _LANE) for lane in lanes]
    return sum(int(item.failures) > 0 for item in LaneItem.batch_get(wanted)) if wanted else 0


def remove(lane: Lane, lease: str) -> None:
    """Drop the lane of an integration that is gone."""
    LaneItem(lane.partition, _LANE).delete_if((LaneItem.lease == lease) & LaneItem.again.does_not_exist())


def due_lanes(now: datetime, *, limit: int) -> set[Lane]:
    """The lanes in which something is due, found by at most ``limit`` items of each part of the index."""
    found = due.found(DueItem.due, now, limit=limit)
    return {Lane(keys.tenant_of(pk), keys.last_part(pk)) for pk, _ in found}

"""Outboxes: an integration's undelivered events, in order, with a lease for one worker at a time.

A waiting event is in the index ``due`` from the moment it is written, so that it is found if its message is lost. Once
a worker has seen it, it may leave the index (:func:`park`): then the outbox itself is in the index, with the time of
the next attempt. A backlog of any size is therefore a single item there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, cast

import msgspec
from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib.integrations.tables import IntegrationsItem
from chalicelib.integrations.tables.events import KEPT, Place
from chalicelib.storage import due, keys
from chalicelib.storage.base import IntegerAttribute, TimeAttribute
from chalicelib.storage.due import DueIndex
from chalicelib.storage.keys import TenantId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pynamodb.expressions.update import Action

    from chalicelib.integrations.tables.events import StoredEvent
    from chalicelib.storage.transactions import Transaction

WAITING, DONE = "waiting", "done"
"""Labels of conditions on an event that waits, and on one that is finished."""
_OUTBOX, _WAITS, _DONE = "LANE", "W", "D"
_GRACE = timedelta(seconds=60)
"""How long a new event's message may take before the schedule sends another one."""
_PAGE = 100


class DueItem(IntegrationsItem):
    """Items that can be in the index."""

    due = DueIndex()

    due_pk = UnicodeAttribute(null=True)
    due_sk = UnicodeAttribute(null=True)


class OutboxItem(DueItem):
    """The state of an integration's outbox; it is created with the first event."""

    lease = UnicodeAttribute(null=True)
    """The lease of the worker that works on the outbox."""
    lease_ends = TimeAttribute(null=True)
    again = BooleanAttribute(null=True)
    """Events arrived while a worker had the lease."""
    failures = IntegerAttribute(default=0)
    """How often in a row the receiver was unavailable."""
    closed_until = TimeAttribute(null=True)

    def is_closed(self, now: datetime) -> bool:
        """Whether the receiver was recently unavailable, so that it gets no events for now."""
        closed_until = cast("datetime | None", self.closed_until)
        return closed_until is not None and now < closed_until


class WaitingItem(DueItem):
    """An event that waits."""

    subject = UnicodeAttribute()
    attempts = IntegerAttribute(default=0)
    retry_at = TimeAttribute(null=True)
    time = TimeAttribute()
    sent_again = TimeAttribute(null=True)
    """When a user had it sent again; None: it waits for its first delivery."""

    @property
    def place(self) -> Place:
        """The position of the event."""
        return Place.of(self.sk)

    @property
    def next_attempt(self) -> datetime | None:
        """The earliest time of the next attempt; None: now."""
        return cast("datetime | None", self.retry_at)

    @property
    def begun(self) -> datetime:
        """The time from which the day of attempts counts."""
        return cast("datetime | None", self.sent_again) or self.time


class DoneItem(IntegrationsItem):
    """An event that was delivered or given up."""

    expires_at = IntegerAttribute()


class Outbox(msgspec.Struct, frozen=True):
    """Identifies an outbox."""

    tenant: TenantId
    integration: str

    @property
    def partition(self) -> str:
        """The partition key."""
        return keys.partition(self.tenant, "L", self.integration)


def put_new(tx: Transaction, outbox: Outbox, place: Place, subject: str, time: datetime) -> None:
    """Add a waiting event."""
    item = WaitingItem(outbox.partition, keys.sort(_WAITS, place.order, place.event), subject=subject, time=time)
    item.due_pk, item.due_sk = due.key(outbox.integration, time + _GRACE)
    tx.put(item, label=WAITING)


def find_waiting(outbox: Outbox, place: Place) -> WaitingItem | None:
    """An event of the outbox, if it waits (strongly consistent)."""
    return _waiting(outbox, place).fetch()


def hurry(tx: Transaction, outbox: Outbox, place: Place, now: datetime) -> None:
    """Let a waiting event be tried at once, in its turn; fails with :data:`WAITING` if it is finished meanwhile."""
    actions = [WaitingItem.retry_at.remove(), *due.never()]
    tx.update(_waiting(outbox, place), actions, WaitingItem.pk.exists(), label=WAITING)
    _open(tx, outbox, now)


def put_again(tx: Transaction, outbox: Outbox, event: StoredEvent, now: datetime) -> None:
    """Let a finished event wait once more; fails with :data:`DONE` if it is not finished, :data:`WAITING` if it waits.

    It is a subject of its own, so that it neither waits for events of its device or deployment nor holds them back.
    """
    place = event.place
    item = _waiting(outbox, place)
    item.subject, item.time, item.sent_again = f"again {place.event}", event.time, now
    tx.delete(DoneItem(outbox.partition, keys.sort(_DONE, place.order, place.event)), DoneItem.pk.exists(), label=DONE)
    tx.put(item, WaitingItem.pk.does_not_exist(), label=WAITING)
    _open(tx, outbox, now)


def _waiting(outbox: Outbox, place: Place) -> WaitingItem:
    return WaitingItem(outbox.partition, keys.sort(_WAITS, place.order, place.event))


def _open(tx: Transaction, outbox: Outbox, now: datetime) -> None:
    # The outbox, not the event, goes into the index. A worker that has the lease looks for events once more.
    actions = [OutboxItem.again.set(True), OutboxItem.closed_until.remove(), *due.at(outbox.integration, now)]
    tx.update(OutboxItem(outbox.partition, _OUTBOX), actions, label="outbox")


def waiting(outbox: Outbox) -> Iterator[WaitingItem]:
    """The waiting events, oldest first (strongly consistent)."""
    prefix = WaitingItem.sk.startswith(f"{_WAITS}#")
    return iter(WaitingItem.query(outbox.partition, prefix, consistent_read=True, page_size=_PAGE))


def newest_in_index(outbox: Outbox) -> Iterator[WaitingItem]:
    """The newest waiting events, back to the first that is no longer in the index; newest first."""
    prefix = WaitingItem.sk.startswith(f"{_WAITS}#")
    rows = WaitingItem.query(outbox.partition, prefix, consistent_read=True, scan_index_forward=False, page_size=_PAGE)
    return takewhile(lambda row: row.due_pk is not None, rows)


def park(item: WaitingItem) -> None:
    """Take a waiting event out of the index, if it is in there; its outbox is in the index instead."""
    if item.due_pk is not None:
        item.update_if(due.never(), WaitingItem.pk.exists())


def tried(tx: Transaction, item: WaitingItem, retry_at: datetime | None) -> None:
    """Count an attempt and store the earliest time of the next one; out of the index, as by :func:`park`."""
    actions = [WaitingItem.attempts.add(1), *due.never()]
    if retry_at is not None:
        actions.append(WaitingItem.retry_at.set(retry_at))
    tx.update(WaitingItem(item.pk, item.sk), actions, WaitingItem.pk.exists(), label=WAITING)


def done(tx: Transaction, item: WaitingItem) -> None:
    """An event is finished; it stays in the list."""
    tx.delete(WaitingItem(item.pk, item.sk), WaitingItem.pk.exists(), label=WAITING)
    place = item.place
    expires = int((item.time + KEPT).timestamp())
    tx.put(DoneItem(item.pk, keys.sort(_DONE, place.order, place.event), expires_at=expires), label=DONE)


def drop(item: WaitingItem) -> None:
    """Drop a waiting event, because its integration or the event itself no longer exists."""
    item.delete()


def places(outbox: Outbox, start: int, stop: int) -> list[Place]:
    """Rows ``start`` to ``stop`` of the integration's events, newest first, waiting or finished.

    Waiting events are read first: one that is finished meanwhile is then found twice, which is detected, and never
    missed.
    """
    found = {
        Place.of(item.sk): None
        for prefix in (_WAITS, _DONE)
        for item in DoneItem.query(
            outbox.partition,
            DoneItem.sk.startswith(f"{prefix}#"),
            consistent_read=True,
            scan_index_forward=False,
            limit=stop,
        )
    }
    return sorted(found, key=lambda place: (place.order, place.event), reverse=True)[start:stop]


# --- who has an outbox -------------------------------------------------------------------------------


def take(outbox: Outbox, lease: str, now: datetime, life: timedelta) -> OutboxItem | None:
    """Take the lease for ``life``; None if another worker has it, which then looks for new events once more.

    If the worker is interrupted, the outbox is due when its lease ends.
    """
    item = OutboxItem(outbox.partition, _OUTBOX)
    free = OutboxItem.lease.does_not_exist() | (OutboxItem.lease_ends <= now)
    actions = [
        OutboxItem.lease.set(lease),
        OutboxItem.lease_ends.set(now + life),
        *due.at(outbox.integration, now + life),
        OutboxItem.again.remove(),
    ]
    # Twice, because the lease may be returned between the two writes.
    for _ in range(2):
        if item.update_if(actions, free):
            return item
        if item.update_if([OutboxItem.again.set(True)], OutboxItem.lease_ends > now):
            return None
    return None


def look_again(outbox: Outbox, lease: str) -> bool:
    """Whether events arrived since the lease was taken, or since the last call of this."""
    item = OutboxItem(outbox.partition, _OUTBOX)
    return item.update_if([OutboxItem.again.remove()], (OutboxItem.lease == lease) & OutboxItem.again.exists())


def give_back(
    outbox: Outbox, lease: str, wanted: datetime | None, *, failures: int, closed_until: datetime | None
) -> bool:
    """Return the lease; the outbox is due at ``wanted``, if at all. False if events arrived meanwhile.

    Does nothing if the lease has ended and another worker has taken it.
    """
    item = OutboxItem(outbox.partition, _OUTBOX)
    actions: list[Action] = [
        OutboxItem.lease.remove(),
        OutboxItem.lease_ends.remove(),
        OutboxItem.failures.set(failures),
        OutboxItem.closed_until.set(closed_until) if closed_until else OutboxItem.closed_until.remove(),
    ]
    actions += due.at(outbox.integration, wanted) if wanted is not None else due.never()
    mine = OutboxItem.lease == lease
    return item.update_if(actions, mine & OutboxItem.again.does_not_exist()) or not look_again(outbox, lease)


def open_again(outbox: Outbox) -> None:
    """Treat the receiver as available again, unless a worker is trying it right now."""
    actions = [OutboxItem.closed_until.remove(), OutboxItem.failures.set(0)]
    OutboxItem(outbox.partition, _OUTBOX).update_if(
        actions, OutboxItem.closed_until.exists() & OutboxItem.lease.does_not_exist()
    )


def failing(outboxes: Iterable[Outbox]) -> int:
    """How many have a receiver that was unavailable at the last attempt; 100 per round trip, eventually consistent."""
    wanted = [(outbox.partition, _OUTBOX) for outbox in outboxes]
    return sum(item.failures > 0 for item in OutboxItem.batch_get(wanted)) if wanted else 0


def remove(outbox: Outbox, lease: str) -> None:
    """Delete the outbox of a deleted integration."""
    OutboxItem(outbox.partition, _OUTBOX).delete_if((OutboxItem.lease == lease) & OutboxItem.again.does_not_exist())


def due_outboxes(now: datetime, *, limit: int) -> set[Outbox]:
    """The outboxes that are due, found through at most ``limit`` items of each partition of the index."""
    found = due.found(DueItem.due, now, limit=limit)
    return {Outbox(keys.tenant_of(pk), keys.last_part(pk)) for pk, _ in found}

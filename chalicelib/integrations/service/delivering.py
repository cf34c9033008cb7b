"""Delivers events to their receivers, in order, and retries for a day.

One worker at a time works on an integration's outbox, so a slow or unavailable receiver delays nobody else's events.
Events of one device or deployment are delivered one after the other, those of different ones in parallel. A refused
event is retried later and delays only later events of its own device. An unavailable receiver gets no events for a
while, longer each time.

An event may be delivered twice, if a worker is interrupted after the POST. Receivers can recognise it by its ``id``.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime, timedelta
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib import clock, outbound
from chalicelib.aws import vault
from chalicelib.fleet import control, switches
from chalicelib.fleet.switches import Switch
from chalicelib.integrations.rules import attempts
from chalicelib.integrations.rules import events as rules
from chalicelib.integrations.service.emitting import Wake
from chalicelib.integrations.shapes import DeliveryStatus
from chalicelib.integrations.tables import events as event_table
from chalicelib.integrations.tables import integrations as table
from chalicelib.integrations.tables import outboxes
from chalicelib.integrations.tables.outboxes import Outbox, WaitingItem
from chalicelib.observability import Metric, count
from chalicelib.storage.transactions import Transaction

if TYPE_CHECKING:
    from chalicelib.integrations.tables.events import Place, StoredEvent
    from chalicelib.storage.keys import TenantId

_RUN: Final = 20.0
"""Seconds in which a run begins new POSTs. The rest of a long outbox goes to the end of the queue, so that others have
their turn."""
_LEASE: Final = timedelta(seconds=80)
"""Longer than a run with its last POST, shorter than the worker's timeout."""
_SUSPENDED: Final = timedelta(minutes=10)
"""Time until a suspended tenant is checked again; meanwhile it receives no events."""
_AT_ONCE: Final = 8
_PAGE: Final = 100
_HOPELESS: Final = 10
"""A receiver that refuses this number of events in a row counts as unavailable."""
_DUE: Final = 200
"""Items of each partition of the index that one run of the schedule reads; the others wait for the next run."""


def tick(now: datetime) -> None:
    """Send workers to outboxes that are due, and to events whose message was lost."""
    for outbox in sorted(outboxes.due_outboxes(now, limit=_DUE), key=lambda outbox: outbox.partition):
        Wake(outbox.tenant, outbox.integration)()


def deliver(tenant: TenantId, integration: str) -> None:
    """Deliver an integration's waiting events; does nothing if another worker is doing so.

    While webhooks are switched off, events stay in the outbox, and the schedule sends a worker later.
    """
    if switches.is_off(Switch.WEBHOOKS):
        return
    outbox = Outbox(tenant, integration)
    lease = str(uuid.uuid4())
    now = clock.now()
    taken = outboxes.take(outbox, lease, now, _LEASE)
    if taken is None:
        return
    receiver = table.find(tenant, integration)
    if receiver is None:
        _clear(outbox, lease)
        return
    secret = vault.unseal(receiver.secret, tenant, integration) if receiver.secret else None
    closed_until = taken.closed_until if taken.is_closed(now) else None
    if not control.get(tenant).active:
        closed_until = now + _SUSPENDED
    run = _Run(outbox, receiver.url, secret, taken.failures, closed_until)
    run.work()
    while not outboxes.give_back(outbox, lease, run.due(), failures=run.failures, closed_until=run.closed_until):
        if not run.is_late():
            run.work()
    if run.is_late():
        Wake(outbox.tenant, outbox.integration)()


def _clear(outbox: Outbox, lease: str) -> None:
    # If this worker is interrupted or too slow, the outbox is due again when the lease ends.
    for row in outboxes.waiting(outbox):
        outboxes.drop(row)
    outboxes.remove(outbox, lease)


class _Run(msgspec.Struct):
    """One worker's run over an outbox."""

    outbox: Outbox
    url: str
    secret: str | None
    failures: int
    """How often in a row the receiver was unavailable."""
    closed_until: datetime | None
    _ends: float = msgspec.field(default_factory=lambda: time.monotonic() + _RUN)
    _next: datetime | None = None
    _held: set[str] = msgspec.field(default_factory=set)
    """Subjects with an undelivered event, which must be delivered before others."""
    _refused: int = 0
    _lock: Lock = msgspec.field(default_factory=Lock)

    def is_late(self) -> bool:
        """Whether the run should end, so that others have their turn."""
        return time.monotonic() >= self._ends

    def due(self) -> datetime | None:
        """When the outbox is due next; None if it is empty."""
        return clock.now() if self.is_late() else self._next

    def work(self) -> None:
        """Deliver the waiting events once, as far as the receiver and the time permit."""
        self._next = self.closed_until
        self._held.clear()
        if self.closed_until is None:
            self._through()
        if self.closed_until is not None:
            # Events that arrived since the last run are at the end; from now on, the outbox is in the index instead of
            # them.
            for row in outboxes.newest_in_index(self.outbox):
                if self.is_late():
                    return
                outboxes.park(row)

    def _through(self) -> None:
        for rows in _pages(outboxes.waiting(self.outbox)):
            if self.is_late():
                return
            by_subject: dict[str, list[WaitingItem]] = {}
            for row in rows:
                by_subject.setdefault(row.subject, []).append(row)
            found = event_table.find_many(self.outbox.tenant, [row.place for row in rows])
            # One event, not eight at once, tests whether a receiver is available again.
            with ThreadPoolExecutor(1 if self.failures else _AT_ONCE) as pool:
                # Each thread runs in a copy of this call's context.
                jobs = [pool.submit(copy_context().run, self._in_order, found, own) for own in by_subject.values()]
            for job in jobs:
                job.result()
            # Of an unavailable receiver only the oldest events are considered, which may have to be given up.
            if self.closed_until is not None and not attempts.is_over(rows[-1].time, clock.now()):
                return

    def _in_order(self, found: dict[Place, StoredEvent], rows: list[WaitingItem]) -> None:
        """Deliver events of one subject, up to the first that fails."""
        subject = rows[0].subject
        for row in rows:
            if self.is_late():
                return
            event = found.get(row.place)
            if event is None:
                outboxes.drop(row)
            elif subject in self._held:
                outboxes.park(row)
            elif not self._settled(row, event):
                self._held.add(subject)

    def _settled(self, row: WaitingItem, event: StoredEvent) -> bool:
        """Try to deliver an event if it is due; returns whether it is finished."""
        now = clock.now()
        over = attempts.is_over(row.begun, now)
        not_before = self.closed_until or row.next_attempt
        if not_before is not None and now < not_before and not over:
            self._come_back(not_before)
            outboxes.park(row)
            return False
        if self.closed_until is not None:
            status, is_down = self._failed("the receiver was down for too long"), True
        else:
            status, is_down = self._post(event)
            self._learn(now, status, is_down=is_down)
        tx = Transaction()
        event_table.note(tx, self.outbox.tenant, event.place, status)
        settled = status.success or over
        if settled:
            outboxes.done(tx, row)
        else:
            retry_at = now + attempts.wait(row.attempts + 1, random.random())  # noqa: S311  # jitter
            outboxes.tried(tx, row, None if is_down else retry_at)
            self._come_back(self.closed_until or retry_at)
        # A failed condition means that the event was deleted, or that another worker has taken the lease.
        tx.try_commit()
        return settled

    def _post(self, event: StoredEvent) -> tuple[DeliveryStatus, bool]:
        """The result of a POST, and whether the receiver is unavailable."""
        body = rules.body(event.place.event, event.kind, event.data, clock.rfc3339(event.time))
        try:
            answer = outbound.request("POST", self.url, rules.headers(body, self.secret, event.request_id), body)
        except outbound.OutboundError as error:
            return self._failed(str(error)), True
        if attempts.succeeded(answer.status):
            return DeliveryStatus(self.outbox.integration, success=True, status_code=answer.status), False
        refused = self._failed(f"the receiver answered {answer.status}", answer.status)
        return refused, attempts.receiver_is_down(answer.status)

    def _failed(self, error: str, status: int | None = None) -> DeliveryStatus:
        return DeliveryStatus(self.outbox.integration, success=False, status_code=status, error=error)

    def _learn(self, now: datetime, status: DeliveryStatus, *, is_down: bool) -> None:
        with self._lock:
            if status.success:
                count(Metric.WEBHOOK_DELIVERIES)
                self.failures = self._refused = 0
                return
            count(Metric.WEBHOOK_FAILURES)
            self._refused += 1
            if self.closed_until is None and (is_down or self._refused >= _HOPELESS):
                self.failures += 1
                self.closed_until = now + attempts.wait(self.failures, random.random())  # noqa: S311  # jitter

    def _come_back(self, when: datetime) -> None:
        with self._lock:
            self._next = when if self._next is None else min(self._next, when)


def _pages(rows: Iterator[WaitingItem]) -> Iterator[list[WaitingItem]]:
    while page := list(islice(rows, _PAGE)):
        yield page

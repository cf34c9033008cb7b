"""Alerts: the level of each subject, whether it has changed, and where an alert is stored.

Source: ``docs/behaviour.md#alerts``. A subject is identified by the name of the alert together with the name of the
alert's subject. Its level is that of its newest alert by the alerts' own timestamps, because a device that was offline
sends old alerts late. The alerts of a device are stored in a fixed number of slots, which are used in turn. The newest
alert of each subject keeps its slot until a newer one arrives, however many alerts other subjects send.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from chalicelib import limits, times
from chalicelib.devicemonitor.shapes import Level, NewAlert
from chalicelib.errors import BadRequest

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_DIGITS = 11
_MAILS_WINDOW = timedelta(hours=1)
_REPORTS = 16
"""The number of last reports that are recognised when they are repeated."""


class Known(msgspec.Struct, frozen=True, array_like=True):
    """The newest alert of a subject: its level, its time in milliseconds, its slot. Stored: append only."""

    level: Level
    issued: int
    slot: int


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """The alert state of a device. Stored, so the names must not change."""

    taken: int = 0
    """The number of alerts that it has ever sent."""
    slot: int = -1
    """The slot that was used last."""
    subjects: dict[str, Known] = {}
    """By :func:`subject_of`."""
    reports: tuple[str, ...] = ()
    """The last reports, newest last, by :func:`report_id`."""

    @property
    def critical(self) -> int:
        """How many subjects are critical."""
        return sum(known.level is Level.CRITICAL for known in self.subjects.values())


class Taken(msgspec.Struct, frozen=True):
    """An alert and its slot. ``changes``: it changes the level of its subject."""

    alert: NewAlert
    number: int
    slot: int
    issued: int
    changes: bool


def subject_of(alert: NewAlert) -> str:
    """A short key of an alert's subject."""
    return _hash([alert.name, alert.subject.name])


def report_id(alerts: Iterable[NewAlert]) -> str:
    """The key by which a repeated report is recognised: a device that got no answer sends it again."""
    return _hash(list(alerts))


def _hash(document: object) -> str:
    return hashlib.sha256(msgspec.json.encode(document)).hexdigest()[:20]


def issued(text: str) -> int:
    """A time (RFC 3339) in milliseconds since 1970; an earlier one counts as 0.

    Raises:
        BadRequest: it is not a time.
    """
    try:
        return max(0, (times.read(text) - _EPOCH) // timedelta(milliseconds=1))
    except ValueError:
        raise BadRequest(f"invalid timestamp: {text[:64]}") from None


def check(alert: NewAlert) -> None:
    """Check that an alert fits into its item and has a valid time.

    Raises:
        BadRequest: it is too large, or its time is not valid.
    """
    issued(alert.timestamp)
    if len(msgspec.json.encode(alert)) > limits.ALERT:
        raise BadRequest(f"an alert is too large (max: {limits.ALERT} bytes)")


def take(standing: Standing, alerts: Iterable[NewAlert], now: datetime) -> tuple[Standing, list[Taken]]:
    """The state after a report, and the alerts with their slots; no alerts if the report is a repeated one."""
    alerts = list(alerts)
    report = report_id(alerts)
    if report in standing.reports:
        return standing, []
    subjects, slot, number = dict(standing.subjects), standing.slot, standing.taken
    present = (now - _EPOCH) // timedelta(milliseconds=1)
    held = {known.slot for known in subjects.values()}
    taken: list[Taken] = []
    for alert in alerts:
        number += 1
        slot = _free(slot, held)
        said = issued(alert.timestamp)
        key = subject_of(alert)
        before = subjects.get(key)
        changes = False
        # A clock that was fast must not make all later alerts look old.
        counts = min(said, present)
        if before is None or counts >= before.issued:
            changes = alert.level is not (before.level if before else Level.OK)
            subjects[key] = Known(alert.level, counts, slot)
            held.add(slot)
            forgotten = _bound(subjects, key)
            held -= {known.slot for known in (before, forgotten) if known is not None}
        taken.append(Taken(alert, number, slot, said, changes))
    reports = (*standing.reports, report)[-_REPORTS:]
    after = Standing(taken=number, slot=slot, subjects=subjects, reports=reports)
    return after, taken


def _free(slot: int, held: set[int]) -> int:
    """The next slot that is not ``held`` by a subject's newest alert."""
    slot = (slot + 1) % limits.ALERTS_KEPT
    while slot in held:
        slot = (slot + 1) % limits.ALERTS_KEPT
    return slot


def _bound(subjects: dict[str, Known], newest: str) -> Known | None:
    """Drop a subject if there are too many, and return it: the oldest, preferably one that is not critical."""
    if len(subjects) <= limits.ALERT_SUBJECTS:
        return None
    others = (key for key in subjects if key != newest)
    return subjects.pop(min(others, key=lambda key: (subjects[key].level is Level.CRITICAL, subjects[key].issued)))


class Told(msgspec.Struct, frozen=True):
    """The parts of an alert that a mail shows. Stored while it waits, so the names must not change."""

    name: str
    level: Level
    subject: str
    type: str
    status: str
    time: str
    details: str


class Mails(msgspec.Struct, frozen=True):
    """The mails about a device: the number sent in the current hour, and the alerts that wait for its end.

    ``left_out`` counts waiting alerts that were replaced by newer ones.
    """

    sent: int = 0
    until: datetime = _EPOCH
    waiting: tuple[Told, ...] = ()
    left_out: int = 0


def mail(before: Mails, alerts: Iterable[Told], now: datetime) -> tuple[Mails, bool]:
    """The state after alerts to mail, and whether the mail is sent now; otherwise the alerts wait for the digest."""
    if before.until <= now and not before.waiting:
        return Mails(sent=1, until=now + _MAILS_WINDOW), True
    if before.sent < limits.ALERT_MAILS and not before.waiting:
        return replace(before, sent=before.sent + 1), True
    waiting = (*before.waiting, *map(_shortened, alerts))
    kept = waiting[-limits.ALERT_DIGEST :]
    return replace(before, waiting=kept, left_out=before.left_out + len(waiting) - len(kept)), False


def digested(now: datetime) -> Mails:
    """The state after the digest, which is the first mail of a new hour."""
    return Mails(sent=1, until=now + _MAILS_WINDOW)


def _shortened(alert: Told) -> Told:
    cut = limits.ALERT_DIGEST_TEXT
    return replace(
        alert,
        name=alert.name[:cut],
        subject=alert.subject[:cut],
        type=alert.type[:cut],
        status=alert.status[:cut],
        details="",
    )


def read_time(text: str, name: str) -> int:
    """A time in a query: RFC 3339, or seconds since 1970; in milliseconds.

    Raises:
        BadRequest: it is neither.
    """
    if text.isascii() and text.isdigit() and len(text) <= _SECONDS_DIGITS:
        return int(text) * 1000
    try:
        # A plus sign that was not escaped arrives as a space.
        return issued(text.replace(" ", "+"))
    except BadRequest:
        raise BadRequest(f"invalid {name} query: {text[:32]}") from None


class Window(msgspec.Struct, frozen=True):
    """A span of time in milliseconds, both ends included; None: open."""

    after: int | None = None
    before: int | None = None

    def holds(self, time: int) -> bool:
        """Whether a time is within."""
        return (self.after is None or time >= self.after) and (self.before is None or time <= self.before)


def latest(standing: Standing, *, at_least: Level, window: Window) -> list[Known]:
    """The newest alert of each subject at or above a level and within the window, oldest first."""
    found = [
        known
        for known in standing.subjects.values()
        if (known.level is Level.CRITICAL or at_least is Level.OK) and window.holds(known.issued)
    ]
    return sorted(found, key=lambda known: (known.issued, known.slot))

"""Estimates when devices in several time zones have begun (``estimate``)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from chalicelib.deployments.rules import windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from chalicelib.deployments.shapes.rollout import Rollout

LONGEST: Final = timedelta(days=366)
"""What takes longer is not estimated."""
_MINUTE: Final = timedelta(minutes=1)
_HALF_YEAR: Final = timedelta(days=182)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_NONE: Final = 1e-6
"""A number of devices that is taken as zero: it comes from rounding."""


def merged(zones: Mapping[str, int], now: datetime) -> dict[str, float]:
    """The numbers of devices by time zone, in which zones with the same time now and in half a year are one."""
    by_time: dict[object, Counter[str]] = {}
    later = now + _HALF_YEAR if now < _NEVER - _HALF_YEAR else now
    for name, number in zones.items():
        offsets = tuple(windows.local(time, name).utcoffset() for time in (now, later))
        by_time.setdefault(offsets, Counter())[name] += number
    return {found.most_common(1)[0][0]: float(found.total()) for found in by_time.values()}


class _Zone:
    """The devices in a time zone that have not begun."""

    def __init__(self, name: str, left: float, rollout: Rollout, poll: timedelta, start: datetime) -> None:
        self.name = name
        self.left = left
        self.due = poll
        """The time in windows in which each of them polls."""
        self._spans = _spans(rollout, name, start)
        self.opens, self.closes = next(self._spans, (_NEVER, _NEVER))

    def pass_to(self, now: datetime) -> None:
        """Go to the window that is open at a time, or the next one."""
        while self.closes <= now < _NEVER:
            self.opens, self.closes = next(self._spans, (_NEVER, _NEVER))

    def begin(self, devices: float) -> None:
        """This many devices begin."""
        self.left = self.left - devices if self.left - devices > _NONE else 0


def _spans(rollout: Rollout, zone: str, start: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The times in which devices of a zone begin, after the longest delay of a device."""
    for opened, closes in windows.openings(rollout.windows, zone, start):
        delay = min(rollout.jitter, _NEVER - max(start, opened))
        if max(start, opened) + delay < closes:
            yield max(start, opened) + delay, closes


def all_begun(
    rollout: Rollout, poll: timedelta, start: datetime, devices: float, left: dict[str, float]
) -> datetime | None:
    """When ``devices`` have begun of those that may begin from ``start`` on; None: after more than a year.

    ``left``: the numbers of devices by time zone that have not begun, from which these are taken.
    """
    zones = [_Zone(name, number, rollout, poll, start) for name, number in left.items() if number > 0]
    now = start
    while now < _NEVER and now - start <= LONGEST:
        for zone in zones:
            zone.pass_to(now)
        is_open = [zone for zone in zones if zone.opens <= now and zone.left]
        lasts, begin = _pace(is_open, poll, rollout.maximum_per_minute)
        edges = (zone.closes if zone.opens <= now else zone.opens for zone in zones if zone.left)
        lasts = min(lasts, min(edges, default=_NEVER) - now)
        begun = sum(begin) * (lasts / _MINUTE)
        is_done = begun >= devices - _NONE
        if is_done:
            lasts *= min(1.0, devices / begun)
        for zone, number in zip(is_open, begin, strict=True):
            zone.begin(number * (lasts / _MINUTE))
            zone.due = max(zone.due - lasts, timedelta(0)) or poll
        devices -= begun
        now += lasts
        if is_done:
            left.update((zone.name, zone.left) for zone in zones)
            return now
    return None


def _pace(zones: Sequence[_Zone], poll: timedelta, rate: int | None) -> tuple[timedelta, list[float]]:
    """How many devices of each open zone begin in a minute, and for how long that is so, as in ``polling_time``."""
    if not zones:
        return LONGEST, []
    begin = [zone.left / (zone.due / _MINUTE) for zone in zones]
    if rate is not None and sum(begin) > rate:
        # More come than may begin, so those that are refused need another interval.
        for zone in zones:
            zone.due = poll
        waiting = sum(zone.left for zone in zones)
        intervals = int(waiting / (rate * (poll / _MINUTE)))
        if intervals:
            return intervals * poll, [rate * zone.left / waiting for zone in zones]
        begin = [zone.left / (poll / _MINUTE) for zone in zones]
    return min(zone.due for zone in zones), begin

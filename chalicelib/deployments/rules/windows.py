"""Windows of a rollout: at which times updates may begin (``docs/rollouts.md#windows``).

A window begins on a day at a local time and lasts for a real duration. Where clocks are put forward and that time does
not exist, it begins as much later; where they are put back and it exists twice, it begins at the first one.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chalicelib.deployments.shapes.rollout import Window

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEK: Final = 7
_YEAR: Final = timedelta(days=366)


def opened(windows: Sequence[Window], zone: str, now: datetime) -> datetime | None:
    """When the window began that is open now; None: no window is open. Of several, the one that began first."""
    begun = [start for start, end in _around(windows, zone, now) if start <= now < end]
    return min(begun, default=None)


def next_start(windows: Sequence[Window], zone: str, now: datetime) -> datetime | None:
    """When the next window begins, after ``now``; None: there are no windows."""
    return min((start for start, _ in _around(windows, zone, now) if start > now), default=None)


def openings(windows: Sequence[Window], zone: str, since: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Start and end of each time in which a window is open, in order, from the one that is open at ``since``.

    Windows that overlap or follow each other are one such time. It ends with the first one that ends after a year.
    """
    if not windows:
        return
    local = ZoneInfo(zone)
    last = since + _YEAR if since < datetime.max.replace(tzinfo=UTC) - _YEAR else since
    day = _shifted(since.astimezone(local).date(), -_WEEK - 1)
    begun: tuple[datetime, datetime] | None = None
    while day is not None and (begun is None or begun[1] <= last):
        for start, end in sorted(_on(windows, day, local)):
            if begun is not None and start > begun[1]:
                if begun[1] > since:
                    yield begun
                begun = None
            begun = (start, end) if begun is None else (begun[0], max(begun[1], end))
        day = _shifted(day, 1)
    if begun is not None:
        yield begun


def local(time: datetime, zone: str) -> datetime:
    """A time in a time zone."""
    return time.astimezone(ZoneInfo(zone))


def _around(windows: Sequence[Window], zone: str, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Start and end of each window that may be open now, or is the next one to begin."""
    local = ZoneInfo(zone)
    today = now.astimezone(local).date()
    # The longest window began a week ago at the earliest, and each begins at least once in a week.
    for offset in range(-_WEEK - 1, _WEEK + 2):
        day = _shifted(today, offset)
        if day is not None:
            yield from _on(windows, day, local)


def _on(windows: Sequence[Window], day: date, local: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """Start and end of each window that begins on a day."""
    for window in windows:
        if not window.days or DAYS[day.weekday()] in window.days:
            try:
                start = _instant(day, window.start_time, local)
                end = start + window.duration
            except OverflowError:
                continue  # after the end of time
            yield start, end


def _shifted(day: date, days: int) -> date | None:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def _instant(day: date, start_time: str, local: ZoneInfo) -> datetime:
    # Of a time that exists twice, fold 0 is the first. One that does not exist has, with fold 0, the offset from before
    # the change, so it becomes as much later as the clocks were put forward.
    return datetime.combine(day, time.fromisoformat(start_time), local).astimezone(UTC)

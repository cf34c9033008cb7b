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
LONGEST: Final = timedelta(days=7)
"""The longest duration of a window."""
_WEEK: Final = 7


def opened(windows: Sequence[Window], zone: str, now: datetime) -> datetime | None:
    """When the window began that is open now; None: no window is open. Of several, the one that began first."""
    begun = [start for start, end in _around(windows, zone, now) if start <= now < end]
    return min(begun, default=None)


def next_start(windows: Sequence[Window], zone: str, now: datetime) -> datetime | None:
    """When the next window begins, after ``now``; None: there are no windows."""
    return min((start for start, _ in _around(windows, zone, now) if start > now), default=None)


def local(time: datetime, zone: str) -> datetime:
    """A time in a time zone."""
    return time.astimezone(ZoneInfo(zone))


def _around(windows: Sequence[Window], zone: str, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Start and end of each window that may be open now, or is the next one to begin."""
    local = ZoneInfo(zone)
    today = now.astimezone(local).date()
    for window in windows:
        # The longest window began a week ago at the earliest, and each begins at least once in a week.
        for offset in range(-_WEEK - 1, _WEEK + 2):
            day = _shifted(today, offset)
            if day is not None and (not window.days or DAYS[day.weekday()] in window.days):
                start = _instant(day, window.start_time, local)
                yield start, start + window.duration


def _shifted(day: date, days: int) -> date | None:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def _instant(day: date, start_time: str, local: ZoneInfo) -> datetime:
    # Of a time that exists twice, fold 0 is the first. One that does not exist has, with fold 0, the offset from before
    # the change, so it becomes as much later as the clocks were put forward.
    return datetime.combine(day, time.fromisoformat(start_time), local).astimezone(UTC)

"""Computes when EventBridge's schedule expressions are due."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

HORIZON_DAYS = 366 * 5
"""How far ahead to search for a cron expression's next time: far enough for the next 29th of February."""


def next_after(expression: str, moment: datetime) -> datetime:
    """The first time after the given one at which the expression is due, in UTC.

    Supports ``rate(...)`` and, of ``cron(...)``, numbers, names, lists, ranges and steps.

    Raises:
        ValueError: the expression is not supported, or is never due.
    """
    if rate := _RATE.fullmatch(expression):
        return moment + timedelta(**{f"{rate[2]}s": int(rate[1])})
    cron = _CRON.fullmatch(expression)
    if not cron:
        raise ValueError(f"{expression!r} is no schedule that is known here")
    minutes, hours = _numbers(cron[1], 0, 59), _numbers(cron[2], 0, 23)
    start = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    midnight = start.replace(hour=0, minute=0)
    for days in range(HORIZON_DAYS):
        day = midnight + timedelta(days=days)
        if not _is_due_on(day, cron):
            continue
        for hour in hours:
            for minute in minutes:
                candidate = day.replace(hour=hour, minute=minute)
                if candidate >= start:
                    return candidate
    raise ValueError(f"{expression!r} is never due")


def _is_due_on(day: datetime, cron: re.Match[str]) -> bool:
    _, _, day_of_month, month, day_of_week, year = cron.groups()
    return (
        day.day in _numbers(day_of_month, 1, 31)
        and day.month in _numbers(month, 1, 12, _MONTHS)
        # EventBridge's week begins on Sunday, with 1.
        and day.isoweekday() % 7 + 1 in _numbers(day_of_week, 1, 7, _DAYS)
        and day.year in _numbers(year, 1970, 2199)
    )


def _numbers(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> list[int]:
    """The values that a field of a cron expression stands for, in order."""
    values: set[int] = set()
    for part in field.upper().split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if first in ("*", "?"):
            begin, end = low, high
        else:
            begin = _number(first, low, names)
            # "5/15" begins at 5 and goes on to the end; "5" alone is only 5.
            end = _number(last, low, names) if dash else (high if step else begin)
        values.update(range(begin, end + 1, int(step or 1)))
    return sorted(values)


def _number(text: str, low: int, names: tuple[str, ...]) -> int:
    return names.index(text) + low if text in names else int(text)

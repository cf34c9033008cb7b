"""Parses times from callers, and writes them. The only error of parsing is ``ValueError``, whatever the text is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
LATEST: Final = datetime.max.replace(tzinfo=UTC, microsecond=999_000)

_YEAR: Final = re.compile(r"[0-9]{4}(?=-)")
_NOT_IANA: Final = re.compile(r"(?:posix|right)/|(?:localtime|posixrules)$")
"""Files among those of time zones that are not the same on all machines."""
_CYCLE: Final = 400
"""Years after which the calendar repeats."""


def read(text: str) -> datetime:
    """The time that an RFC 3339 text names, in UTC.

    Go writes ``0001-01-01T00:00:00Z`` for a time that was never set, possibly with an offset. A time outside the years
    1 to 9999, which ``datetime`` cannot represent, is read as the first or last moment that it can.

    Raises:
        ValueError: it names no time, or none with an offset.
    """
    year, alike = _parsed(text)
    if EARLIEST.year <= year <= LATEST.year:
        return alike.replace(year=year)
    return EARLIEST if year < EARLIEST.year else LATEST


def in_go_form(text: str) -> str:
    """The time that an RFC 3339 text names as Go prints it: ``2016-10-27 07:00:00.5 +0000 UTC``.

    Raises:
        ValueError: it names no time, or none with an offset.
    """
    year, alike = _parsed(text)
    fraction = f".{alike.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{'-' * (year < 0)}{abs(year):04d}{alike:-%m-%d %H:%M:%S}{fraction} +0000 UTC"


def _parsed(text: str) -> tuple[int, datetime]:
    """The year in UTC, and the time in a year with the same calendar that is far from the limits of ``datetime``."""
    found = _YEAR.match(text)
    if found is None:
        raise ValueError("the time has no year")
    year = int(found[0])
    alike = 5 * _CYCLE + year % _CYCLE
    time = datetime.fromisoformat(f"{alike}{text[found.end() :]}")
    if time.tzinfo is None:
        raise ValueError("the time has no offset")
    utc = time.astimezone(UTC)
    return year + utc.year - alike, utc


def in_utc(time: datetime) -> datetime:
    """Convert a time with an offset to UTC; if that is outside the years 1 to 9999, the first or last moment."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return EARLIEST if time.year == EARLIEST.year else LATEST


def after(time: datetime, delay: timedelta) -> datetime:
    """A time after another one: the last moment that there is, if it would be after that."""
    try:
        return time + delay
    except OverflowError:
        return LATEST


def rfc3339(time: datetime) -> str:
    """``time`` in the wire format: UTC, milliseconds without trailing zeros."""
    # Not strftime, which writes years before 1000 without leading zeros.
    text = in_utc(time).replace(microsecond=0, tzinfo=None).isoformat()
    millis = time.microsecond // 1000
    return f"{text}.{millis:03d}".rstrip("0") + "Z" if millis else text + "Z"


def is_zone(name: str) -> bool:
    """Whether this is the name of a time zone (IANA)."""
    # Imported here, because few calls name a time zone.
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if _NOT_IANA.match(name):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True

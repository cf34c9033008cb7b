"""The clock. Rules never read it: services do, once, and hand the time on."""

from __future__ import annotations

from datetime import UTC, datetime

from chalicelib import times


def now() -> datetime:
    """The time in UTC, to the millisecond that is stored and shown."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def rfc3339(time: datetime) -> str:
    """``time`` as the API shows it: UTC, up to milliseconds, zeros at the end of the fraction left out."""
    # Not by strftime: its years before 1000 come without their zeros.
    text = times.in_utc(time).replace(microsecond=0, tzinfo=None).isoformat()
    millis = time.microsecond // 1000
    return f"{text}.{millis:03d}".rstrip("0") + "Z" if millis else text + "Z"

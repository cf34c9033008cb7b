"""The clock. Rules never read it; services read it once and pass the time on."""

from __future__ import annotations

from datetime import UTC, datetime

from chalicelib import times


def now() -> datetime:
    """The time in UTC, to the millisecond that is stored and shown."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def rfc3339(time: datetime) -> str:
    """``time`` in the wire format: UTC, milliseconds without trailing zeros."""
    # Not strftime, which writes years before 1000 without leading zeros.
    text = times.in_utc(time).replace(microsecond=0, tzinfo=None).isoformat()
    millis = time.microsecond // 1000
    return f"{text}.{millis:03d}".rstrip("0") + "Z" if millis else text + "Z"

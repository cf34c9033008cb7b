"""The clock. Rules never read it; services read it once and pass the time on."""

from __future__ import annotations

from datetime import UTC, datetime

from chalicelib.times import rfc3339

__all__ = ["now", "rfc3339"]


def now() -> datetime:
    """The time in UTC, to the millisecond that is stored and shown."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)

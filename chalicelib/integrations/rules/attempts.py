"""When to retry a delivery, and when to give up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from chalicelib import limits

_FIRST: Final = timedelta(seconds=30)
_LONGEST: Final = timedelta(hours=1)
_LIFE: Final = timedelta(seconds=limits.DELIVERY_LIFE)
_RECEIVER_IS_DOWN: Final = frozenset({429, 502, 503, 504})


def succeeded(status: int) -> bool:
    """Whether the receiver accepted the event. Redirects are not followed, so they count as failures."""
    return 200 <= status < 300


def receiver_is_down(status: int) -> bool:
    """Whether the receiver accepts no events at present, as opposed to refusing this one."""
    return status in _RECEIVER_IS_DOWN


def wait(failures: int, chance: float) -> timedelta:
    """How long to wait after this number of failures in a row: twice as long each time, up to an hour.

    ``chance``, 0 to 1, spreads the wait over its second half, so that deliveries that failed together are not retried
    together.
    """
    doublings = min(failures - 1, 10)
    return min(_LONGEST, _FIRST * 2.0**doublings) * (0.5 + chance / 2)


def is_over(happened: datetime, now: datetime) -> bool:
    """Whether to give up an event that has not been delivered."""
    return now - happened >= _LIFE

"""When to try again, and when to give up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from chalicelib import limits

_FIRST: Final = timedelta(seconds=30)
_LONGEST: Final = timedelta(hours=1)
_LIFE: Final = timedelta(seconds=limits.DELIVERY_LIFE)
_RECEIVER_IS_DOWN: Final = frozenset({429, 502, 503, 504})


def succeeded(status: int) -> bool:
    """Whether the receiver took the event. A redirect is not followed, so nobody took it."""
    return 200 <= status < 300


def receiver_is_down(status: int) -> bool:
    """Whether the receiver takes no event at the moment, rather than not this one."""
    return status in _RECEIVER_IS_DOWN


def wait(failures: int, chance: float) -> timedelta:
    """How long to wait after that many failures in a row: twice as long each time, up to an hour.

    ``chance``, 0 to 1, spreads it over the second half, so that what failed together does not come again together.
    """
    doublings = min(failures - 1, 10)
    return min(_LONGEST, _FIRST * 2.0**doublings) * (0.5 + chance / 2)


def is_over(happened: datetime, now: datetime) -> bool:
    """Whether an event that was not taken yet is given up."""
    return now - happened >= _LIFE

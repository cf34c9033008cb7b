"""Waiting for another process by checking a condition, not for a fixed time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def until(
    what: str, seen: Callable[[], T], *, timeout: float = 30, every: float = 0.1, detail: Callable[[], str] = str
) -> T:
    """Wait until ``seen`` returns a true value, and return it.

    Raises:
        AssertionError: it did not within ``timeout`` seconds; the text has ``what``, the last value and ``detail``.
    """
    end = time.monotonic() + timeout
    while not (value := seen()):
        assert time.monotonic() < end, f"not within {timeout} s: {what}; last: {value!r}\n{detail()}"
        time.sleep(every)
    return value

"""Waiting for what another process does: on the condition itself, never for a length of time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def until(
    what: str, seen: Callable[[], T], *, timeout: float = 30, every: float = 0.1, detail: Callable[[], str] = str
) -> T:
    """What ``seen`` returns, as soon as that is true.

    Raises:
        AssertionError: it was not, for ``timeout`` seconds; says ``what`` was waited for, the last value, ``detail``.
    """
    end = time.monotonic() + timeout
    while not (value := seen()):
        assert time.monotonic() < end, f"not within {timeout} s: {what}; last: {value!r}\n{detail()}"
        time.sleep(every)
    return value

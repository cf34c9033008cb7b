"""The call that runs: the id by which everything that it causes is found, the time it has, and what it counts.

A call is whatever Lambda was called for: a request, a message of a queue, a tick. Threads that work for one are started
in a copy of its context (``contextvars``), and so belong to it.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_RESERVE: Final = 1.0
"""Seconds that are kept for the answer: what waits for a store gives up this long before Lambda ends the call."""


class Context(Protocol):
    """What Lambda says about a call next to its event."""

    def get_remaining_time_in_millis(self) -> float:
        """Milliseconds until Lambda gives the call up."""


class Call(msgspec.Struct):
    """A call. ``ends``: when it has to be over, on the monotonic clock."""

    request_id: str
    ends: float
    counts: Counter[str] = msgspec.field(default_factory=Counter)


_current: ContextVar[Call | None] = ContextVar("call", default=None)
_no_later: ContextVar[float] = ContextVar("no_later", default=float("inf"))
"""When what runs has to be over, on the monotonic clock, if that is before the call ends."""


def current() -> Call | None:
    """The call that runs; None in the admin's command and in tests."""
    return _current.get()


def request_id() -> str:
    """The id of the call that runs; empty outside of calls."""
    running = _current.get()
    return running.request_id if running is not None else ""


def time_left() -> float:
    """Seconds that what runs may still wait for others, never below 0; without end outside of calls."""
    running = _current.get()
    ends = running.ends if running is not None else float("inf")
    return max(0.0, min(ends, _no_later.get()) - time.monotonic())


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Nothing in the block waits longer than this for others: for what can be done without."""
    token = _no_later.set(min(_no_later.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _no_later.reset(token)


@contextmanager
def running(request_id: str, context: Context | None) -> Iterator[Call]:
    """Everything in the block belongs to one call. Without a ``context`` nobody ends it."""
    left = float("inf") if context is None else context.get_remaining_time_in_millis() / 1000 - _RESERVE
    made = Call(request_id, time.monotonic() + left)
    token = _current.set(made)
    try:
        yield made
    finally:
        _current.reset(token)

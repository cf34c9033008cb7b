"""The running call: its id, its remaining time, and what it counts.

A call is one invocation of Lambda: a request, a message of a queue, a run of the schedule. Threads that work for one
are started in a copy of its context (``contextvars``), and so belong to it.
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
"""Seconds reserved for the answer: waiting for a store ends this long before Lambda ends the call."""


class Context(Protocol):
    """Lambda's context of a call."""

    def get_remaining_time_in_millis(self) -> float:
        """Milliseconds until Lambda ends the call."""


class Call(msgspec.Struct):
    """A call. ``ends`` is its latest end on the monotonic clock."""

    request_id: str
    ends: float
    counts: Counter[str] = msgspec.field(default_factory=Counter)


_current: ContextVar[Call | None] = ContextVar("call", default=None)
_no_later: ContextVar[float] = ContextVar("no_later", default=float("inf"))
"""An earlier end for a part of the call, on the monotonic clock."""


def current() -> Call | None:
    """The running call; None in the admin's command and in tests."""
    return _current.get()


def request_id() -> str:
    """The id of the running call; empty outside of calls."""
    running = _current.get()
    return running.request_id if running is not None else ""


def time_left() -> float:
    """The remaining seconds for waiting, never below 0; infinite outside of calls."""
    running = _current.get()
    ends = running.ends if running is not None else float("inf")
    return max(0.0, min(ends, _no_later.get()) - time.monotonic())


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Limit waiting in the block to this many seconds, for optional work."""
    token = _no_later.set(min(_no_later.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _no_later.reset(token)


class Running:
    """A block that runs as one call; ``with`` returns the call. Without a ``context`` it has no end.

    This is no generator, because every call of a device enters it.
    """

    __slots__ = ("_call", "_token")

    def __init__(self, request_id: str, context: Context | None) -> None:
        left = float("inf") if context is None else context.get_remaining_time_in_millis() / 1000 - _RESERVE
        self._call = Call(request_id, time.monotonic() + left)

    def __enter__(self) -> Call:
        self._token = _current.set(self._call)
        return self._call

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)

"""Who is acting: the verified caller of the current request, or the server itself.

A route sets it for the duration of a request, so that audit entries can name the caller without passing it through
every function. It does not decide what is permitted: only the request's identity does.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Actor(msgspec.Struct, frozen=True):
    """``kind`` is ``user``, ``device`` or ``system``; ``id`` that of the user or device. Unknown members are empty."""

    kind: str
    id: str
    source_ip: str = ""
    email: str = ""
    """The address of a user; empty for others."""


SYSTEM: Final = Actor("system", "system")
"""The server itself: schedule, queue workers, and the admin's command."""

_current: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


def current() -> Actor:
    """The current actor."""
    return _current.get()


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Act as ``actor`` while the block runs."""
    token = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(token)

"""Who is acting: the verified caller of the request that runs, else the server itself.

Set by ``@endpoint`` for the time of a request, so that a service deep inside can say in an audit entry who wanted
the change without every function on the way handing it on. It says who, never what they may do: rights are judged
from the request's identity alone.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Actor(msgspec.Struct, frozen=True):
    """``kind``: ``user``, ``device`` or ``system``; ``id``: of the user or device; what is unknown is empty."""

    kind: str
    id: str
    source_ip: str = ""
    email: str = ""
    """A user's."""


SYSTEM: Final = Actor("system", "system")
"""Schedules, queue workers, and the admin's command."""

_current: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


def current() -> Actor:
    """Who is acting now."""
    return _current.get()


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Act as ``actor`` while the block runs."""
    token = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(token)

"""Who is acting: the verified caller of the current request, or the server itself.

A route sets it for the duration of a request, so that audit entries can name the caller without passing it through
every function. It does not decide what is permitted: only the request's identity does.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

import msgspec


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


class Acting:
    """A block in which ``actor`` acts. This is no generator, because every call of a device enters it."""

    __slots__ = ("_actor", "_token")

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def __enter__(self) -> None:
        self._token = _current.set(self._actor)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)

"""Values that a warm process remembers for a limited time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Final, Generic, TypeVar

from chalicelib import call, settings
from chalicelib.errors import Unavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


_PATIENCE: Final = 2.0
"""Seconds that a new read may take if an older value can be used instead."""
_PAUSE: Final = 5.0
"""Minimum seconds before a failed read is tried again."""


class _Entry(Generic[V]):
    """A value. ``look_again`` is the monotonic time before which a failed read is not tried again."""

    __slots__ = ("look_again", "read_at", "value")

    def __init__(self, read_at: float, value: V) -> None:
        self.read_at = read_at
        self.value = value
        self.look_again = 0.0


class Cache(Generic[K, V]):
    """Values by key, each from one read. It keeps the ``most`` newest ones."""

    def __init__(self, most: int = 10_000, *, stale: Callable[[], float] | None = None) -> None:
        """An empty cache. ``stale``: extra seconds for which a value is used while it cannot be read."""
        self._most = most
        self._stale = stale
        self._entries: dict[K, _Entry[V]] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        """The number of values, including those that are too old."""
        return len(self._entries)

    def get(self, key: K, read: Callable[[], V], *, life: float | None = None, stale: bool = True) -> V:
        """The value; it is read again unless it is younger than ``life`` seconds (None: ``settings.control_cache``).

        ``stale``: whether an older value may be used while it cannot be read.

        Raises:
            Unavailable: it could not be read, and the known value is too old. With a life of 0 every value is.
        """
        if life is None:
            life = settings.current().control_cache
        entry, age = self._entries.get(key), self.age(key)
        if entry is not None and age < life:
            return entry.value
        if entry is None or self._stale is None or life <= 0:
            return self._read(key, read)
        will_do = stale and age < life + self._stale()
        if time.monotonic() >= entry.look_again:
            try:
                with call.at_most(_PATIENCE if will_do else float("inf")):
                    return self._read(key, read)
            except Unavailable:
                # Processes that failed at the same time must not try again at the same time.
                entry.look_again = time.monotonic() + random.uniform(_PAUSE, 2 * _PAUSE)  # noqa: S311  # jitter
                if not will_do:
                    raise
        elif not will_do:
            raise Unavailable
        return entry.value

    def _read(self, key: K, read: Callable[[], V]) -> V:
        read_at = time.monotonic()
        value = read()
        self._put(key, _Entry(read_at, value))
        return value

    def put(self, key: K, value: V) -> None:
        """Store a value that was read just now."""
        self._put(key, _Entry(time.monotonic(), value))

    def age(self, key: K) -> float:
        """Seconds since the value was read; infinite if there is none."""
        entry = self._entries.get(key)
        return time.monotonic() - entry.read_at if entry is not None else float("inf")

    def _put(self, key: K, entry: _Entry[V]) -> None:
        with self._lock:
            self._entries.pop(key, None)  # so that it becomes the last in the dict's order
            self._entries[key] = entry
            while len(self._entries) > self._most:
                del self._entries[next(iter(self._entries))]

    def forget(self, key: K) -> None:
        """Drop a value. Code that changed the underlying data calls this after the commit."""
        with self._lock:
            self._entries.pop(key, None)

    def clear(self) -> None:
        """Drop all values."""
        with self._lock:
            self._entries.clear()

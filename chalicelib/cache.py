"""What a warm process knows from before, and believes for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from chalicelib import settings

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Values by key, each from one read; the ``most`` newest ones."""

    def __init__(self, most: int = 10_000) -> None:
        """An empty one."""
        self._most = most
        self._entries: dict[K, tuple[float, V]] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        """How many values it holds, those that are too old included."""
        return len(self._entries)

    def get(self, key: K, read: Callable[[], V], *, life: float | None = None) -> V:
        """The value, read anew unless it is younger than ``life`` seconds; None: ``settings.control_cache``."""
        entry = self._entries.get(key)
        if entry is not None and time.monotonic() - entry[0] < (
            settings.current().control_cache if life is None else life
        ):
            return entry[1]
        read_at = time.monotonic()
        value = read()
        with self._lock:
            self._entries.pop(key, None)  # so that it becomes the last in the dict's order
            self._entries[key] = read_at, value
            while len(self._entries) > self._most:
                del self._entries[next(iter(self._entries))]
        return value

    def forget(self, key: K) -> None:
        """Drop a value; whoever changed what it was read from calls this after the commit."""
        with self._lock:
            self._entries.pop(key, None)

    def clear(self) -> None:
        """Drop all values."""
        with self._lock:
            self._entries.clear()

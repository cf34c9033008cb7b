"""What a warm process remembers: for a limited time (:class:`Cache`), or while there is space (:class:`Store`)."""

from __future__ import annotations

import random
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Final, Generic, TypeVar
from weakref import WeakSet

from chalicelib import call, settings
from chalicelib.errors import Unavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


_PATIENCE: Final = 2.0
"""Seconds that a new read may take if an older value can be used instead."""
_PAUSE: Final = 5.0
"""Minimum seconds before a failed read is tried again."""


class Store(Generic[K, V]):
    """Values by key. Where they weigh more than ``most`` together, those that were not used for longest are dropped.

    ``weigh``: the weight of a value when it is stored; by default each weighs 1.
    """

    def __init__(self, most: int = 10_000, *, weigh: Callable[[V], int] = lambda _: 1) -> None:
        self._most = most
        self._weigh = weigh
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._weight = 0
        self._lock = Lock()
        _stores.add(self)

    def __len__(self) -> int:
        """The number of values."""
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value, which counts as used now; None if there is none."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: K, value: V) -> None:
        """Store a value, in place of an earlier one."""
        with self._lock:
            self._drop(key)
            weight = self._weigh(value)
            self._values[key] = value, weight
            self._weight += weight
            while self._weight > self._most:
                self._drop(next(iter(self._values)))

    def forget(self, key: K) -> None:
        """Drop a value."""
        with self._lock:
            self._drop(key)

    def clear(self) -> None:
        """Drop all values."""
        with self._lock:
            self._values.clear()
            self._weight = 0

    def _drop(self, key: K) -> None:
        _, weight = self._values.pop(key, (None, 0))
        self._weight -= weight


_stores: WeakSet[Store[Any, Any]] = WeakSet()


def forget_all() -> None:
    """Drop everything that this process remembers."""
    for store in _stores:
        store.clear()


class _Entry(Generic[V]):
    """A value. ``look_again`` is the monotonic time before which a failed read is not tried again."""

    __slots__ = ("look_again", "read_at", "value")

    def __init__(self, read_at: float, value: V) -> None:
        self.read_at = read_at
        self.value = value
        self.look_again = 0.0


class Cache(Generic[K, V]):
    """Values by key, each from one read. It keeps ``most`` of them."""

    def __init__(self, most: int = 10_000, *, stale: Callable[[], float] | None = None) -> None:
        """An empty cache. ``stale``: extra seconds for which a value is used while it cannot be read."""
        self._stale = stale
        self._entries: Store[K, _Entry[V]] = Store(most)

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
        entry = self._entries.get(key)
        age = _age(entry)
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
        self._entries.put(key, _Entry(read_at, value))
        return value

    def put(self, key: K, value: V) -> None:
        """Store a value that was read just now."""
        self._entries.put(key, _Entry(time.monotonic(), value))

    def age(self, key: K) -> float:
        """Seconds since the value was read; infinite if there is none."""
        return _age(self._entries.get(key))

    def forget(self, key: K) -> None:
        """Drop a value. Code that changed the underlying data calls this after the commit."""
        self._entries.forget(key)

    def clear(self) -> None:
        """Drop all values."""
        self._entries.clear()


def _age(entry: _Entry[Any] | None) -> float:
    return time.monotonic() - entry.read_at if entry is not None else float("inf")

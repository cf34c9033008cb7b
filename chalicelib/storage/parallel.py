"""Several reads at the same time, for data that are divided into many partitions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

K = TypeVar("K")
V = TypeVar("V")
_AT_ONCE: Final = 16
"""Threads of one call. ``storage.pool`` keeps more connections than that."""


def each(read: Callable[[K], V], keys: Sequence[K]) -> list[V]:
    """The result of ``read`` for each key, in the order of the keys.

    Raises:
        Exception: what the first failed read raised, after all have ended.
    """
    if len(keys) <= 1:
        return [read(key) for key in keys]
    with ThreadPoolExecutor(min(_AT_ONCE, len(keys))) as pool:
        # Each thread runs in a copy of this call's context.
        jobs = [pool.submit(copy_context().run, read, key) for key in keys]
    return [job.result() for job in jobs]

"""Runs independent reads or writes at the same time, each of which waits for DynamoDB."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
R = TypeVar("R")
_AT_ONCE: Final = 16


def in_parallel(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The results of ``function`` for each item, in their order. At most 16 run at the same time.

    Raises the first error after all that had begun have ended.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        # Each has a copy of the call's context, which contains its deadline.
        return [future.result() for future in [pool.submit(copy_context().run, function, item) for item in items]]

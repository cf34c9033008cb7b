"""Lists that take several reads, while their items may move.

An item that moves into a part that was already read is missed; one that moves out of it is read twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_READS = 4


def settled(read: Callable[[], T], key: Callable[[T], object]) -> T:
    """The result of ``read``, repeated until two reads in a row agree; the last of four if none do.

    Args:
        read: all of the list's reads.
        key: what must be equal in two reads, such as the ids in their order.
    """
    found = read()
    for _ in range(_READS - 1):
        before, found = key(found), read()
        if key(found) == before:
            break
    return found

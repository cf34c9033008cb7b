"""Lists that take several reads, while what they list moves.

What moves from a part that is not read yet into one that was read is missed; the other way round it is read twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_READS = 4


def settled(read: Callable[[], T], key: Callable[[T], object]) -> T:
    """What ``read`` finds, read again until two reads in a row agree; the last of four if none do.

    Args:
        read: all of the list's reads.
        key: what has to be the same twice, such as the ids in their order.
    """
    found = read()
    for _ in range(_READS - 1):
        before, found = key(found), read()
        if key(found) == before:
            break
    return found

"""The memory of connections: how much each takes, and giving it back to the system."""

from __future__ import annotations

import ctypes
from asyncio.sslproto import SSLProtocol
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BUFFER = 16 * 1024
"""Bytes of the receive buffer of a TLS connection. A TLS record has at most as many."""

MANY = 100
"""Connections from which on their memory is worth giving back: some MB."""


def bound_tls_buffers() -> None:
    """Let each TLS connection of this process have a receive buffer of :data:`BUFFER` bytes.

    asyncio allocates 256 KiB for each one, which are most of its memory, and has no option for that.
    """
    SSLProtocol.max_size = BUFFER


class Memory:
    """Returns freed memory to the system after many connections were closed.

    The C library keeps it otherwise, because pieces that are still in use lie between the freed ones.
    """

    def __init__(self) -> None:
        self._most = 0
        self._trim = _trim()

    def observe(self, connections: int) -> None:
        """Note how many connections are open now; give memory back if their number has halved."""
        self._most = max(self._most, connections)
        if self._trim and self._most >= MANY and connections <= self._most // 2:
            self._trim(0)
            self._most = connections


def _trim() -> Callable[[int], int] | None:
    """The C library's function that gives memory back; None if it has none, like musl's and those of other systems."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return found

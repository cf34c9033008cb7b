"""Divides the data of large tenants into parts with partition keys of their own.

DynamoDB allows a partition key 1,000 write units a second (``docs/heat.md``). A part contains a range of device ids, so
a list by id is the list of its first part, then of the next one, and so on.
"""

from __future__ import annotations

import hashlib
from typing import Final

LARGE: Final = 128
"""The number of parts of a large tenant. Stored data: it must not change."""
LARGE_FROM: Final = 10_000
"""The number of devices from which a tenant is large."""

_BYTE = 256
_DIGITS = frozenset("0123456789abcdef")


def part_of(device_id: str, parts: int) -> int:
    """The part, from 0, that contains a device. Stored data: it must not change.

    Ids are random UUIDs, so their first two digits spread them evenly. Targets of deployments may be other texts, most
    of which are spread by a hash.
    """
    digits = device_id[:2]
    if len(digits) == 2 and _DIGITS.issuperset(digits):
        first = int(digits, 16)
    else:
        first = hashlib.sha256(device_id.encode()).digest()[0]
    return first * parts // _BYTE


def text(part: int) -> str:
    """A part in a key. Stored data: it must not change."""
    return f"{part:02x}"

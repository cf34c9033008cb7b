"""The fixed targets of a deployment in compact form: 16 bytes per device, found by bisection.

Device ids are UUIDs, but the API accepts any strings as targets, so others are stored separately. The byte form is
stored and immutable: ``<length of the other ids' JSON, 4 bytes><JSON list of other ids><sorted 16-byte ids>``.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import ClassVar

import msgspec

_LENGTH = 4


def compact(device_id: str) -> bytes | None:
    """The 16 bytes of a UUID in its canonical form; None for anything else, which could not be restored exactly."""
    try:
        parsed = uuid.UUID(device_id)
    except ValueError:
        return None
    return parsed.bytes if str(parsed) == device_id else None


class Targets(msgspec.Struct, frozen=True):
    """An immutable set of device ids."""

    WIDTH: ClassVar[int] = 16
    """Bytes of an id that is a UUID."""

    packed: bytes
    odd: frozenset[str]

    @classmethod
    def of(cls, device_ids: Iterable[str]) -> Targets:
        """The set of these ids."""
        packed: set[bytes] = set()
        odd: set[str] = set()
        for device_id in device_ids:
            as_bytes = compact(device_id)
            if as_bytes is None:
                odd.add(device_id)
            else:
                packed.add(as_bytes)
        return cls(b"".join(sorted(packed)), frozenset(odd))

    @classmethod
    def plain(cls, packed: bytes) -> Targets:
        """The set of these ids, all of which are UUIDs: 16 bytes each, sorted."""
        return cls(packed, frozenset())

    def __len__(self) -> int:
        """The number of devices."""
        return len(self.packed) // Targets.WIDTH + len(self.odd)

    def __contains__(self, device_id: object) -> bool:
        """Whether the device is a target."""
        if not isinstance(device_id, str):
            return False
        wanted = compact(device_id)
        if wanted is None:
            return device_id in self.odd
        low, high = 0, len(self.packed) // Targets.WIDTH
        while low < high:
            middle = (low + high) // 2
            found = self.packed[middle * Targets.WIDTH : (middle + 1) * Targets.WIDTH]
            if found == wanted:
                return True
            low, high = (middle + 1, high) if found < wanted else (low, middle)
        return False

    def __iter__(self) -> Iterator[str]:
        """The ids, sorted, those that are not UUIDs last."""
        for start in range(0, len(self.packed), Targets.WIDTH):
            yield str(uuid.UUID(bytes=self.packed[start : start + Targets.WIDTH]))
        yield from sorted(self.odd)

    def to_bytes(self) -> bytes:
        """The stored form."""
        odd = msgspec.json.encode(sorted(self.odd))
        return len(odd).to_bytes(_LENGTH, "big") + odd + self.packed

    @classmethod
    def from_bytes(cls, data: bytes) -> Targets:
        """Reverses :meth:`to_bytes`."""
        end = _LENGTH + int.from_bytes(data[:_LENGTH], "big")
        return cls(data[end:], frozenset(msgspec.json.decode(data[_LENGTH:end], type=list[str])))

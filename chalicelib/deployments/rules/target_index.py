"""Finds the open deployments that may be for a device, without a visit to each of them.

Every deployment has a bit. Two tables have a slot for each value of two bytes of a device id, and a slot contains the
bits of the deployments with a target there. A deployment is possible for a device if its bit is in the device's slots
of both tables. Ids are random, so this is rarely true for other devices, and a table has 65,536 slots at most. Whether
the device is a target is then decided from the targets themselves.
"""

from __future__ import annotations

from bisect import bisect_right
from threading import Lock
from typing import TYPE_CHECKING, Final

from chalicelib.deployments.rules.targets import Targets, compact

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from chalicelib.deployments.rules.deployment import Plan

_BYTE: Final = 256
_ENDED: Final = 64
"""The number of ended deployments whose bits are removed from the tables together."""
_INDEX_BYTES: Final = 4096
"""Memory of an index without deployments."""
_SLOT_BYTES: Final = 128
"""Memory of a slot without its bits."""


class TargetIndex:
    """The open deployments of a tenant by their targets."""

    def __init__(self) -> None:
        """An index without deployments."""
        self.lock = Lock()
        """Callers hold it, also while they read what :meth:`update` needs."""
        self.opened: Mapping[str, int] = {}
        """The open deployments as of the last update: id to sequence number."""
        self._bits: dict[str, int] = {}
        self._used = 0
        """All bits in use, including those of ended deployments."""
        self._dynamic = 0
        self._unread = [0] * _BYTE
        """By the first byte of a device id: the deployments whose targets there are not known yet."""
        self._tables: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._ids: dict[int, str] = {}
        """The deployments by sequence number, oldest first."""
        self._sequences: list[int] = []
        self._newer: list[int] = [0]
        """At each place the bits of the deployments from that place of ``_sequences`` on."""
        self._by_bit: dict[int, int] = {}

    @property
    def weight(self) -> int:
        """About how many bytes of memory the index takes."""
        return _INDEX_BYTES + sum(map(len, self._tables)) * (_SLOT_BYTES + self._used.bit_length() // 8)

    def update(self, opened: Mapping[str, int], new: Iterable[tuple[Plan, Targets | None]]) -> None:
        """Replace the open deployments.

        Args:
            opened: their ids and sequence numbers.
            new: those that were not open at the last update, with their targets as far as these are known. Deployments
                that are missing here do not exist, and are possible for no device.
        """
        self.opened = opened
        self._bits = {deployment: bit for deployment, bit in self._bits.items() if deployment in opened}
        self._remove_ended()
        for plan, targets in new:
            self._add(plan, targets)
        self._ids = dict(sorted((opened[deployment], deployment) for deployment in self._bits))
        self._sequences = list(self._ids)
        self._by_bit = {self._bits[deployment]: sequence for sequence, deployment in self._ids.items()}
        self._newer = [0]
        for bit in reversed(self._by_bit):
            self._newer.append(self._newer[-1] | bit)
        self._newer.reverse()

    def learn(self, deployment: str, targets: Targets, part: int = 0, parts: int = 1) -> None:
        """Note the targets in one of the parts by device id into which a deployment is divided."""
        bit = self._bits.get(deployment, 0)
        begin, end = (-(-each * _BYTE // parts) for each in (part, part + 1))
        if self._unread[begin] & bit:
            self._note(bit, targets)
            for first in range(begin, end):
                self._unread[first] &= ~bit

    def possible(self, device_id: str, decided: int, upto: int, matching: Collection[int]) -> list[tuple[int, str]]:
        """The deployments that may be for a device, as ``(sequence, id)``: all that are, and few others.

        Args:
            device_id: the device.
            decided: the sequence number above which deployments are wanted.
            upto: the sequence number up to which it is known which dynamic deployments match the device.
            matching: the sequence numbers of those that do.
        """
        bits = self._newer_than(decided) & self._with_target(device_id)
        bits |= self._newer_than(max(decided, upto)) & self._dynamic
        found = [self._by_bit[bit] for bit in _each(bits)]
        found += [sequence for sequence in matching if sequence > decided and sequence in self._ids]
        return [(sequence, self._ids[sequence]) for sequence in found]

    def _newer_than(self, sequence: int) -> int:
        return self._newer[bisect_right(self._sequences, sequence)]

    def _with_target(self, device_id: str) -> int:
        """The bits of deployments that may have the device as a fixed target."""
        packed = compact(device_id)
        if packed is None:
            return self._used & ~self._dynamic
        first, second = (table.get(slot, 0) for table, (slot,) in zip(self._tables, _slots(packed), strict=True))
        return self._unread[packed[0]] | (first & second)

    def _add(self, plan: Plan, targets: Targets | None) -> None:
        bit = self._bits[plan.id] = ~self._used & (self._used + 1)  # the lowest one that is not in use
        self._used |= bit
        if plan.dynamic:
            self._dynamic |= bit
        elif targets is None:
            self._unread = [others | bit for others in self._unread]
        else:
            self._note(bit, targets)

    def _note(self, bit: int, targets: Targets) -> None:
        for table, slots in zip(self._tables, _slots(targets.packed), strict=True):
            for slot in slots:
                table[slot] = table.get(slot, 0) | bit

    def _remove_ended(self) -> None:
        """Make the bits of ended deployments available again, if there are many."""
        left = sum(self._bits.values())
        if (self._used & ~left).bit_count() < _ENDED:
            return
        self._used = left
        self._dynamic &= left
        self._unread = [bits & left for bits in self._unread]
        first, second = ({slot: bits & left for slot, bits in table.items() if bits & left} for table in self._tables)
        self._tables = first, second


def _slots(packed: bytes) -> tuple[set[int], set[int]]:
    """The slots of device ids of 16 bytes each, in both tables."""
    pairs = memoryview(packed).cast("H")
    step = Targets.WIDTH // 2
    return set(pairs[0::step]), set(pairs[1::step])


def _each(bits: int) -> Iterator[int]:
    """The single bits."""
    while bits:
        bit = bits & -bits
        yield bit
        bits ^= bit

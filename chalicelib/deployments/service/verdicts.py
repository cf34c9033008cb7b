"""Matches devices with the filters of dynamic deployments, and stores the results in the device's head.

A result is valid until the device's attributes, tags or group change, which the head counts (``facts``). A poll of a
device that matches no filter therefore costs the read of its head, and one more read after each change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chalicelib import limits
from chalicelib.fleet.tables import keep_verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.fleet.tables import DeviceHead
    from chalicelib.storage.keys import TenantId


class _Stored(msgspec.Struct, omit_defaults=True):
    """The stored form. Field names are stored and short, because the head must be small."""

    f: int
    """The value of ``facts`` for which the results are valid."""
    y: list[int] = []
    """Sequences of deployments whose filter matches."""
    n: list[int] = []
    """Sequences of deployments whose filter does not match."""


class Verdicts:
    """The known filter matches of one device."""

    def __init__(self, tenant: TenantId, head: DeviceHead) -> None:
        self._tenant = tenant
        self._head = head
        self._news = False
        stored = _Stored(-1) if head.verdicts is None else msgspec.convert(head.verdicts, _Stored)
        fresh = stored.f == head.facts
        self._known = dict.fromkeys(stored.y, True) | dict.fromkeys(stored.n, False) if fresh else {}

    def take(self, plan: Plan, others: Iterable[Plan] = ()) -> bool:
        """Whether a dynamic deployment's filter matches. If it must be evaluated, ``others`` are evaluated too."""
        if plan.sequence not in self._known:
            # Imported here because most polls return before.
            from chalicelib.inventory import service as inventory

            terms = tuple[inventory.Term, ...]
            asked = [plan, *(each for each in others if each.sequence not in self._known and each is not plan)]
            taken = inventory.matches_each(
                self._tenant, self._head.device_id, [msgspec.convert(each.filter["terms"], terms) for each in asked]
            )
            self._known |= {each.sequence: is_taken for each, is_taken in zip(asked, taken, strict=True)}
            self._news = True
        return self._known[plan.sequence]

    def keep(self, opened: Iterable[tuple[int, str]]) -> None:
        """Store new results in the head, for the deployments that are open."""
        if not self._news:
            return
        known = sorted(self._known.keys() & {sequence for sequence, _ in opened})[-limits.VERDICTS :]
        stored = _Stored(
            self._head.facts,
            y=[sequence for sequence in known if self._known[sequence]],
            n=[sequence for sequence in known if not self._known[sequence]],
        )
        keep_verdicts(self._head, stored)

"""Matches devices with the filters of dynamic deployments, and stores the results in the device's head.

A result is valid until the device's attributes, tags or group change, which the head counts (``facts``). A poll of a
device that matches no filter therefore costs the read of its head, and one more read after each change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chalicelib import limits
from chalicelib.fleet.heads import keep_filter_matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.fleet.head import Head
    from chalicelib.storage.keys import TenantId


class _Stored(msgspec.Struct, omit_defaults=True):
    """The stored form. Field names are stored and short, because the head must be small.

    Earlier versions stored ``n``, the sequence numbers that do not match, instead of ``a`` and ``u``. Such results are
    taken again.
    """

    f: int
    """The value of ``facts`` for which the results are valid."""
    y: list[int] = []
    """Sequence numbers of deployments whose filter matches."""
    a: int = 0
    """The sequence number after which the results begin: the head's ``decided`` at that time."""
    u: int = 0
    """The sequence number up to which they go: each deployment between both that is not in ``y`` does not match."""


class FilterMatches:
    """The known filter matches of one device."""

    def __init__(self, tenant: TenantId, head: Head) -> None:
        self._tenant = tenant
        self._head = head
        self._taken: dict[int, bool] = {}
        """The results that are not stored yet, by sequence number."""
        stored = _Stored(-1) if head.verdicts is None else msgspec.convert(head.verdicts, _Stored)
        # Without its history a device may get deployments again that were too old for it when the results were taken.
        fresh = stored.f == head.facts and stored.a <= head.decided
        self._after = stored.a if fresh else 0
        self.upto = stored.u if fresh else 0
        """The sequence number up to which it is known which open deployments match."""
        self.matching = frozenset(stored.y if fresh else ())
        """The sequence numbers of those that do."""

    def take(self, plan: Plan, others: Iterable[Plan] = ()) -> bool:
        """Whether a dynamic deployment's filter matches. If it must be evaluated, ``others`` are evaluated too."""
        if self._is_known(plan):
            return plan.sequence in self.matching
        if plan.sequence not in self._taken:
            # Imported here because most polls return before.
            from chalicelib.inventory import service as inventory

            terms = tuple[inventory.Term, ...]
            asked = [plan, *(each for each in others if not self._is_known(each) and each is not plan)]
            taken = inventory.matches_each(
                self._tenant, self._head.device_id, [msgspec.convert(each.filter["terms"], terms) for each in asked]
            )
            self._taken |= {each.sequence: is_taken for each, is_taken in zip(asked, taken, strict=True)}
        return self._taken[plan.sequence]

    def _is_known(self, plan: Plan) -> bool:
        """Whether a stored result says if the filter matches. Polls do not ask for deployments before these results."""
        return self._after < plan.sequence <= self.upto

    def keep(self, opened: Mapping[str, int]) -> None:
        """Store new results in the head, if there are any.

        ``opened``: the open deployments. All dynamic ones that the device may still get were evaluated.
        """
        if not self._taken:
            return
        found = self.matching | {sequence for sequence, is_taken in self._taken.items() if is_taken}
        matching = sorted(found.intersection(opened.values()))
        upto = max(opened.values(), default=0)
        if len(matching) > limits.FILTER_MATCHES:
            # The device gets the oldest ones first. The others are evaluated again.
            matching = matching[: limits.FILTER_MATCHES]
            upto = matching[-1]
        keep_filter_matches(self._head, _Stored(self._head.facts, y=matching, a=self._head.decided, u=upto))

"""A device as device authentication knows it, and what a change of it means for the counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.devauth.rules.sets import Standing, Status


@dataclass(frozen=True, slots=True)
class Device:
    """A device. ``version`` is 0 until it is stored; every change adds 1 and is conditional on it."""

    id: str
    identity_hash: str
    identity: str
    """Identity data in its normal form."""
    standing: Standing
    created: datetime
    updated: datetime
    check_in: datetime | None = None
    decommissioning: bool = False
    version: int = 0

    def moved_to(self, standing: Standing, now: datetime) -> Device:
        """The device standing elsewhere from ``now`` on."""
        return replace(self, standing=standing, updated=now)


def count_changes(before: Device | None, after: Device | None) -> dict[Status, int]:
    """How the numbers of devices by status change; None is a device that is not there."""
    old = before.standing.status if before else None
    new = after.standing.status if after else None
    if old is new:
        return {}
    changes = {status: by for status, by in ((old, -1), (new, 1)) if status is not None}
    return dict(sorted(changes.items()))

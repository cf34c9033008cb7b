"""A device as device authentication knows it, and what a change of it means for the counts."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from chalicelib.devauth.rules.sets import Standing, Status
from chalicelib.tiers import Tier


class Device(msgspec.Struct, frozen=True):
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
    test_device: bool = False
    """Whether somebody marked it as one to try things with."""
    version: int = 0

    def moved_to(self, standing: Standing, now: datetime) -> Device:
        """The device standing elsewhere from ``now`` on."""
        return replace(self, standing=standing, updated=now)


Place = tuple[Status, Tier]
"""What a device counts as."""


def count_changes(before: Device | None, after: Device | None) -> dict[Place, int]:
    """How the numbers of devices by status and tier change; None is a device that is not there."""
    old = (before.standing.status, before.standing.tier) if before else None
    new = (after.standing.status, after.standing.tier) if after else None
    if old == new:
        return {}
    changes = {place: by for place, by in ((old, -1), (new, 1)) if place is not None}
    return dict(sorted(changes.items()))

"""A device as device authentication knows it, and what a change of it means for the counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from chalicelib import limits
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
    seen: datetime | None = None
    """When it was last noted that the device asks again, while it is pending."""
    version: int = 0

    def moved_to(self, standing: Standing, now: datetime) -> Device:
        """The device standing elsewhere from ``now`` on."""
        return replace(self, standing=standing, updated=now)


def is_seen_anew(device: Device, now: datetime) -> bool:
    """Whether it is to be noted that a pending device asked again: some time after it appeared, then once a day."""
    if device.standing.status is not Status.PENDING:
        return False
    if device.seen is None:
        return now - device.created >= timedelta(seconds=limits.PENDING_FIRST_SEEN)
    return now - device.seen >= timedelta(seconds=limits.PENDING_SEEN_ACCURACY)


def to_drop(devices: Iterable[Device], now: datetime) -> Device | None:
    """The device that makes room for a new one; None if all of these stay.

    That is the one of which nothing was heard for the longest, among those that were never accepted and either never
    asked again after they appeared, or have not asked for days. A real device asks every few minutes.
    """
    silent = [device for device in devices if _is_silent(device, now)]
    return min(silent, key=_last_heard, default=None)


def _last_heard(device: Device) -> datetime:
    return device.seen or device.created


def _is_silent(device: Device, now: datetime) -> bool:
    if device.standing.status is not Status.PENDING or device.standing.was_accepted or device.decommissioning:
        return False
    after = limits.PENDING_UNSEEN if device.seen is None else limits.PENDING_LOST
    return now - _last_heard(device) >= timedelta(seconds=after)


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

"""A device as device authentication sees it, and how a change of it affects the counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from chalicelib import limits
from chalicelib.devauth.rules.sets import Standing, Status

if TYPE_CHECKING:
    from chalicelib.tiers import Place


class Device(msgspec.Struct, frozen=True):
    """A device. ``version`` is 0 until it is stored; every change adds 1 and is conditional on the version it read."""

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
    """Whether a user has marked it as a test device."""
    seen: datetime | None = None
    """When it was last recorded that the pending device asked again."""
    version: int = 0

    def moved_to(self, standing: Standing, now: datetime) -> Device:
        """The device with new auth sets, changed at ``now``."""
        return replace(self, standing=standing, updated=now)


class Known(msgspec.Struct, frozen=True):
    """What acceptance rules know of an identity, besides its device."""

    expected_key: str | None = None
    """The only key with which the preregistered identity is accepted; empty: any. None: it is not preregistered."""
    was_decommissioned: bool = False
    """Whether its device was decommissioned while the tenant had acceptance rules."""


def is_seen_anew(device: Device, now: datetime) -> bool:
    """Whether to record that a pending device asked again: once some time after it appeared, then once a day."""
    if device.standing.status is not Status.PENDING:
        return False
    if device.seen is None:
        return now - device.created >= timedelta(seconds=limits.PENDING_FIRST_SEEN)
    return now - device.seen >= timedelta(seconds=limits.PENDING_SEEN_ACCURACY)


def to_drop(devices: Iterable[Device], now: datetime) -> Device | None:
    """The device to delete so that a new one can be stored; None if all of these must stay.

    It is the device that has been silent for the longest time, among those that were never accepted and either never
    asked again after they appeared or have not asked for days. A real device asks every few minutes.
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


def count_changes(before: Device | None, after: Device | None) -> dict[Place, int]:
    """How the numbers of devices by status and tier change; None stands for a device that does not exist."""
    old = (before.standing.status, before.standing.tier) if before else None
    new = (after.standing.status, after.standing.tier) if after else None
    if old == new:
        return {}
    changes = {place: by for place, by in ((old, -1), (new, 1)) if place is not None}
    return dict(sorted(changes.items()))

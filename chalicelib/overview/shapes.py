"""What travels on the wire. A part that the caller may not see is left out."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.deployments.shapes import Deployment


class Brief(msgspec.Struct, omit_defaults=True):
    """A device in a few words. ``name`` as people call it, else its id; ``seen`` when it was last heard of."""

    id: str
    name: str
    seen: str | None = None


class Some(msgspec.Struct):
    """How many devices something holds for, and the first few of them."""

    count: int
    devices: list[Brief]


class Software(msgspec.Struct):
    """What accepted devices run. ``name`` is empty for those that have not said."""

    name: str
    count: int


class Devices(msgspec.Struct):
    """The devices that the caller may see."""

    by_status: dict[str, int]
    alerting: Some
    """Accepted devices with an alert that is not over; the longest silent first."""
    silent: Some
    """Accepted devices that were not heard of for ``silent_hours``; the longest silent first."""
    silent_hours: int
    software: list[Software]
    """The most frequent first; what is rarer is summed up in ``other_software``."""
    other_software: int


class Day(msgspec.Struct):
    """The deployments that ended on a day (UTC), and how their devices fared."""

    day: str
    deployments: int
    success: int
    failure: int


class Deployments(msgspec.Struct):
    """The deployments of software that the caller may see."""

    open: list[Deployment]
    """The newest of those that are not over."""
    open_count: int
    failed: list[Deployment]
    """The newest of those that ended in the last days with failures."""
    days: list[Day]
    """The last days, the oldest first."""


class Overview(msgspec.Struct, omit_defaults=True):
    """All of it."""

    devices: Devices | UnsetType = UNSET
    deployments: Deployments | UnsetType = UNSET

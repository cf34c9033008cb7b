"""The wire format of the overview. Parts that the caller may not see are left out."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.deployments.shapes import Deployment


class Brief(msgspec.Struct, omit_defaults=True):
    """A device. ``name``: its tag ``name``, or else its id; ``seen``: its last check-in."""

    id: str
    name: str
    seen: str | None = None


class Some(msgspec.Struct):
    """The number of such devices, and the first few of them."""

    count: int
    devices: list[Brief]


class Software(msgspec.Struct):
    """The software of accepted devices. ``name`` is empty for devices that have not reported any."""

    name: str
    count: int


class Devices(msgspec.Struct):
    """The devices that the caller may see."""

    by_status: dict[str, int]
    alerting: Some
    """Accepted devices with a critical alert; the longest silent first."""
    silent: Some
    """Accepted devices that have not called for ``silent_hours``; the longest silent first."""
    silent_hours: int
    software: list[Software]
    """The most frequent first; the number of all others is in ``other_software``."""
    other_software: int


class Day(msgspec.Struct):
    """The number of deployments that ended on a day (UTC), and the results of their devices."""

    day: str
    deployments: int
    success: int
    failure: int


class Deployments(msgspec.Struct):
    """The deployments of software that the caller may see."""

    open: list[Deployment]
    """The newest unfinished ones."""
    open_count: int
    failed: list[Deployment]
    """The newest ones that ended in the last days with failures."""
    days: list[Day]
    """The last days, the oldest first."""


class Overview(msgspec.Struct, omit_defaults=True):
    """The answer of ``GET overview``."""

    devices: Devices | UnsetType = UNSET
    deployments: Deployments | UnsetType = UNSET

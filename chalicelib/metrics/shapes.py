"""The wire format. A part that the caller may not see is left out."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class Accepted(msgspec.Struct):
    """Accepted devices of a tier, and how many there may be; -1: any number."""

    count: int
    limit: int


class Deployments(msgspec.Struct):
    """Deployments of all kinds: those that devices may still get, and those that are over."""

    unfinished: int
    finished: int


class Storage(msgspec.Struct):
    """Bytes of artifacts, and how many there may be; 0: any number."""

    usage: int
    limit: int


class Webhooks(msgspec.Struct):
    """Webhooks, and how many of them have a receiver that was down at the last attempt."""

    count: int
    failing: int


class Numbers(msgspec.Struct):
    """A tenant's numbers."""

    devices: dict[str, int]
    """By status."""
    accepted_devices: dict[str, Accepted]
    """By tier."""
    users: int
    deployments: Deployments | UnsetType = UNSET
    artifacts: int | UnsetType = UNSET
    releases: int | UnsetType = UNSET
    storage: Storage | UnsetType = UNSET
    webhooks: Webhooks | UnsetType = UNSET

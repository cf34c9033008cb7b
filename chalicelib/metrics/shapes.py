"""The wire format of metrics. Parts that the caller may not see are left out."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class Accepted(msgspec.Struct):
    """The number and limit of accepted devices of a tier; -1 means no limit."""

    count: int
    limit: int


class Deployments(msgspec.Struct):
    """The numbers of unfinished and finished deployments of all kinds."""

    unfinished: int
    finished: int


class Storage(msgspec.Struct):
    """Bytes of artifacts and their limit; 0 means no limit."""

    usage: int
    limit: int


class Webhooks(msgspec.Struct):
    """The number of webhooks, and of those whose receiver was unavailable at the last attempt."""

    count: int
    failing: int


class Numbers(msgspec.Struct):
    """A tenant's numbers."""

    devices: dict[str, int]
    """Numbers of devices by status."""
    accepted_devices: dict[str, Accepted]
    """Accepted devices by tier."""
    users: int
    deployments: Deployments | UnsetType = UNSET
    artifacts: int | UnsetType = UNSET
    releases: int | UnsetType = UNSET
    storage: Storage | UnsetType = UNSET
    webhooks: Webhooks | UnsetType = UNSET

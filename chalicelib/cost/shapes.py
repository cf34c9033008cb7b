"""The wire format. Money is in US dollars a month."""

from __future__ import annotations

import msgspec


class Levers(msgspec.Struct, frozen=True):
    """The fleet that is estimated."""

    devices: int
    poll: float
    """Seconds between two polls of a device."""
    report: float
    """Seconds between two reports of the inventory."""
    updates: float
    """Updates of each device in a month."""
    artifact: float
    """MB that an update brings to a device."""
    connected: int
    """Devices that keep a websocket open for remote access."""


class Part(msgspec.Struct):
    """A part of a bill."""

    name: str
    dollars: float


class Saving(msgspec.Struct):
    """What would lower a part of the bill, and by how much."""

    part: str
    lever: str
    dollars: float


class Bill(msgspec.Struct):
    """What the fleet costs through one gateway."""

    gateway: str
    dollars: float
    parts: list[Part]
    savings: list[Saving]


class Estimate(msgspec.Struct):
    """``GET cost``: an estimate with list prices of a region and date, without free tier and discounts."""

    region: str
    date: str
    levers: Levers
    requests: float
    """Calls of a month."""
    bills: list[Bill]
    """One for each gateway."""

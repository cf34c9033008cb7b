"""Devices as the inventory API returns them (``docs/behaviour.md#inventory-devices``)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chalicelib.clock import rfc3339
from chalicelib.inventory.rules.attributes import SYSTEM
from chalicelib.inventory.shapes import AttributeCount, AttributeShape, DeviceShape
from chalicelib.tiers import Tier

if TYPE_CHECKING:
    from chalicelib.inventory.rules.device import Device

_ALWAYS = (SYSTEM, "updated_ts")
_GOES_WITHOUT_SAYING = (SYSTEM, "tier", Tier.STANDARD)
"""Servers without tiers do not show this attribute, and clients count the attributes shown."""
_ROWS = 500
"""Maximum attribute names in the answer."""


def device(found: Device, only: frozenset[tuple[str, str]] | None = None) -> DeviceShape:
    """A device with all attributes, or only those of ``only`` (and the time of its last change)."""
    attributes = [
        _attribute(scope, name, stored)
        for scope, name, stored in (found.shown() if only is None else found.some(only | {_ALWAYS}))
        if only is not None or (scope, name, stored[0]) != _GOES_WITHOUT_SAYING
    ]
    return DeviceShape(id=found.id, attributes=attributes, updated_ts=rfc3339(found.updated))


def _attribute(scope: str, name: str, stored: list[Any]) -> AttributeShape:
    value, description, timestamp = (*stored, None, None)[:3]
    if isinstance(value, datetime):
        value = rfc3339(value)
    return AttributeShape(name=name, value=value, scope=scope, description=description, timestamp=timestamp)


def attribute_counts(counts: Mapping[tuple[str, str], int]) -> list[AttributeCount]:
    """How many devices have each attribute, the most frequent first."""
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))[:_ROWS]
    return [AttributeCount(name=name, scope=scope, count=count) for (scope, name), count in rows]

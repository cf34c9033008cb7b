"""What travels on the wire in the inventory (behaviour notes C)."""

from __future__ import annotations

from typing import Any

import msgspec


class AttributeInput(msgspec.Struct):
    """An attribute as it is sent. Scope and timestamp are the server's, whatever a sender says."""

    name: str | None = None
    value: Any = None
    description: str | None = None


class AttributeShape(msgspec.Struct, omit_defaults=True):
    """An attribute as it is shown."""

    name: str
    value: Any
    scope: str
    description: str | None = None
    timestamp: str | None = None


class DeviceShape(msgspec.Struct):
    """A device as it is shown."""

    id: str
    attributes: list[AttributeShape]
    updated_ts: str


class Group(msgspec.Struct):
    """The group of a device; null when it has none."""

    group: str | None = None

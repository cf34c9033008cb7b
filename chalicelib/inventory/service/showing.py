"""Devices in the wire format, encoded once in a process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

import msgspec

from chalicelib import limits
from chalicelib.cache import Store
from chalicelib.inventory import views

if TYPE_CHECKING:
    from chalicelib.inventory.rules.device import Device
    from chalicelib.inventory.shapes import DeviceShape

_encoded: Store[str, msgspec.Raw] = Store(4 * limits.MIB, weigh=lambda raw: len(bytes(raw)))
"""Devices by their stamps. Each write of a device gives it a new stamp."""


def show(devices: Iterable[Device], only: frozenset[tuple[str, str]] | None = None) -> list[DeviceShape]:
    """Devices with all attributes, or only those of ``only``, as ``views.device`` shows each."""
    if only is not None:
        return [views.device(each, only) for each in devices]
    # For the encoder of the answer, encoded JSON stands for what it was made from.
    return cast("list[DeviceShape]", [_encode(each) for each in devices])


def _encode(device: Device) -> msgspec.Raw:
    known = _encoded.get(device.stamp) if device.stamp else None
    if known is None:
        known = msgspec.Raw(msgspec.json.encode(views.device(device)))
        if device.stamp:
            _encoded.put(device.stamp, known)
    return known

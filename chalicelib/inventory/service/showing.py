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

Places = frozenset[tuple[str, str]]
"""Scopes and names of attributes."""

_encoded: Store[tuple[str, Places | None], msgspec.Raw] = Store(4 * limits.MIB, weigh=lambda raw: len(bytes(raw)))
"""Devices by their stamps and the shown attributes. Each write of a device gives it a new stamp."""


def show(devices: Iterable[Device], only: Places | None = None) -> list[DeviceShape]:
    """Devices with all attributes, or only those of ``only``, as ``views.device`` shows each."""
    # For the encoder of the answer, encoded JSON stands for what it was made from.
    return cast("list[DeviceShape]", [_encode(each, only) for each in devices])


def _encode(device: Device, only: Places | None) -> msgspec.Raw:
    stamp = device.stamp
    known = _encoded.get((stamp, only)) if stamp else None
    if known is None:
        known = msgspec.Raw(msgspec.json.encode(views.device(device, only)))
        if stamp:
            _encoded.put((stamp, only), known)
    return known

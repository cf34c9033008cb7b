"""The time zones of devices, for windows in their own time (``docs/rollouts.md#windows``).

A head stores the zone that was found until the device's attributes change, so other polls do not read the inventory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib import times
from chalicelib.errors import NotFound
from chalicelib.fleet.heads import keep_zone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.fleet.head import Head
    from chalicelib.storage.keys import TenantId

SCOPES: Final = ("tags", "inventory")
"""The scopes in which the attribute is looked for."""


class _Stored(msgspec.Struct, omit_defaults=True):
    """The stored form. Field names are stored and short, because the head must be small."""

    f: int
    """The value of ``facts`` for which it holds."""
    a: str
    """The attribute."""
    z: str | None = None
    """The time zone; None: the device has none."""


def of_device(tenant: TenantId, head: Head, attribute: str) -> str | None:
    """The time zone that a tag or inventory attribute of the device names; None: it names none (IANA)."""
    if head.zone is not None:
        stored = msgspec.convert(head.zone, _Stored)
        if stored.f == head.facts and stored.a == attribute:
            return stored.z
    zone = read(tenant, head.device_id, attribute)
    keep_zone(head, _Stored(head.facts, attribute, zone))
    return zone


def read(tenant: TenantId, device_id: str, attribute: str) -> str | None:
    """As :func:`of_device`, from the inventory, without storing it."""
    # Imported here: only windows in the time of devices need it.
    from chalicelib.inventory import service as inventory

    try:
        device = inventory.get(tenant, device_id)
    except NotFound:
        return None
    return first(found[0] for scope in SCOPES if (found := device.scope(scope).get(attribute)))


def first(values: Iterable[object]) -> str | None:
    """The first of the values of the attribute in its scopes that is a time zone; None: there is none."""
    return next((value for value in values if isinstance(value, str) and times.is_zone(value)), None)

"""A tenant's accepted devices at a glance: how many there are of what, and the first of those that need attention."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chalicelib.inventory.rules.attributes import IDENTITY, INVENTORY, MONITOR, SYSTEM, TAGS
from chalicelib.inventory.rules.matching import Predicate, Query, SortKey
from chalicelib.inventory.service.search import Look

if TYPE_CHECKING:
    from chalicelib.inventory.rules.device import Device
    from chalicelib.rights import Names
    from chalicelib.storage.keys import TenantId

_ACCEPTED: Final = Predicate(IDENTITY, "status", "$eq", "accepted")
_LONGEST_SILENT: Final = SortKey(SYSTEM, "check_in_time", descending=False)


class Named(msgspec.Struct, frozen=True):
    """A device by the name that people know it by, and when it was last heard of."""

    id: str
    name: str
    seen: datetime | None


class Glance(msgspec.Struct, frozen=True):
    """What is known at a glance. ``alerting`` and ``silent``: the first devices, and how many there are."""

    by_status: Counter[Any]
    software: Counter[Any]
    """Accepted devices by the name of their artifact; None: not reported."""
    alerting: tuple[list[Named], int]
    silent: tuple[list[Named], int]


def glance(tenant: TenantId, groups: Names | None, *, silent_since: datetime, first: int) -> Glance:
    """Devices at a glance, of these static groups (None: all), for one reading of the snapshot.

    The devices that are named, at most ``first`` of each kind, are those that were not heard of for longest.
    """
    look = Look(tenant, groups)

    def some(condition: Predicate) -> tuple[list[Named], int]:
        found, count = look.find(Query((_ACCEPTED, condition), (_LONGEST_SILENT,)), first)
        return [Named(device.id, _name(device), device.check_in) for device in found], count

    return Glance(
        by_status=look.values(Query(), IDENTITY, "status"),
        software=look.values(Query((_ACCEPTED,)), INVENTORY, "artifact_name"),
        alerting=some(Predicate(MONITOR, "alerts", "$eq", value=True)),
        silent=some(Predicate(SYSTEM, "check_in_time", "$lt", silent_since)),
    )


def _name(device: Device) -> str:
    """The tag "name", else what the device identifies itself by, a hardware address last; else its id."""
    own = {name: stored[0] for name, stored in device.scope(IDENTITY).items() if stored}
    named = [device.value(TAGS, "name"), *(own[name] for name in sorted(own, key=lambda name: (name == "mac", name)))]
    return next((name for name in named if isinstance(name, str) and name), device.id)

"""A summary of a tenant's accepted devices: their software, and the first of those that need attention."""

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
    """A device with its name for people, and its last check-in."""

    id: str
    name: str
    seen: datetime | None


class Glance(msgspec.Struct, frozen=True):
    """The summary. ``alerting`` and ``silent``: the first devices, and the number of all."""

    by_status: Counter[Any]
    software: Counter[Any]
    """Numbers of accepted devices by the name of their artifact; None: not reported."""
    alerting: tuple[list[Named], int]
    silent: tuple[list[Named], int]


def glance(tenant: TenantId, groups: Names | None, *, silent_since: datetime, first: int) -> Glance:
    """The summary of the devices of these static groups (None: all), from one reading of the snapshot.

    At most ``first`` devices of each kind are listed, the longest silent first.
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
    """The tag ``name``, or an attribute of the identity (a hardware address last), or the id."""
    own = {name: stored[0] for name, stored in device.scope(IDENTITY).items() if stored}
    named = [device.value(TAGS, "name"), *(own[name] for name in sorted(own, key=lambda name: (name == "mac", name)))]
    return next((name for name in named if isinstance(name, str) and name), device.id)

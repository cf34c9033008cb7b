"""Finding devices. One function answers every question, from the cheapest source that can.

| query | read |
|---|---|
| the plain list | the page, from the index, and the counts: 2 round trips |
| within a group, or by ids | the group's or the named devices only |
| anything else | every device of the tenant, 1 MB a round trip, and a pass in memory |

The last row is what a snapshot of the tenant can replace: rules and callers only know devices and queries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.errors import NotFound
from chalicelib.fleet import membership
from chalicelib.inventory.rules import matching
from chalicelib.inventory.rules.attributes import IDENTITY
from chalicelib.inventory.rules.matching import Predicate, Query
from chalicelib.inventory.service import showing
from chalicelib.inventory.tables import devices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.inventory.rules.device import Device
    from chalicelib.inventory.shapes import AttributeCount
    from chalicelib.storage.keys import TenantId

_HAVING = 20
"""Devices that are named when one is looked for by what names it."""
_SAMPLE = 5_000
"""Devices that are looked at to say which attributes there are."""


def search(tenant: TenantId, query: Query, start: int, stop: int) -> tuple[list[Device], int]:
    """Rows ``start`` to ``stop`` of what the query finds, and how much it finds in all."""
    if query.everything:
        # Imported here: device authentication imports the inventory.
        from chalicelib.devauth import service as devauth

        return devices.listed(tenant, start, stop), devauth.count_all(tenant)
    found = matching.select(_candidates(tenant, query), query)
    return found[start:stop], len(found)


def _candidates(tenant: TenantId, query: Query) -> Iterable[Device]:
    if query.ids is not None:
        return devices.find_many(tenant, query.ids)
    if query.group is not None:
        return devices.find_many(tenant, membership.group_members(tenant, query.group))
    return devices.walk(tenant)


def get(tenant: TenantId, device_id: str) -> Device:
    """One device.

    Raises:
        NotFound: there is none of that id.
    """
    device = devices.find(tenant, device_id)
    if device is None:
        raise NotFound("Device not found")
    return device


def having(tenant: TenantId, scope: str, attribute: str, value: str) -> list[str]:
    """Ids of the devices of which an attribute has this value."""
    if (scope, attribute) == (IDENTITY, "id"):
        return [value]
    found, _ = search(tenant, Query((Predicate(scope, attribute, "$eq", value),)), 0, _HAVING)
    return [device.id for device in found]


def attribute_counts(tenant: TenantId) -> list[AttributeCount]:
    """Which attributes devices have, from a sample of at most 5,000."""
    return showing.attribute_counts(devices.walk(tenant, _SAMPLE))


def statistics(tenant: TenantId) -> dict[str, dict[str, int]]:
    """How many accepted and pending devices there are, by tier; all are of the standard one."""
    from chalicelib.devauth import service as devauth

    return {
        status: {"standard": devauth.count(tenant, status), "micro": 0, "system": 0}
        for status in ("accepted", "pending")
    }

"""Searches. One function answers every search, from the cheapest source that can.

| query | read |
|---|---|
| the beginning of the plain list | the page, from the index, and the counts: 2 round trips; if it is read again and \
again, as below |
| some devices by id, or of a small group | these devices |
| anything else | the tenant's snapshot, and the devices that changed since (``snapshots``) |
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.cache import Store
from chalicelib.errors import NotFound
from chalicelib.fleet import counts, membership
from chalicelib.inventory import views
from chalicelib.inventory.rules import finding
from chalicelib.inventory.rules.attributes import IDENTITY, SYSTEM
from chalicelib.inventory.rules.matching import Predicate, Query
from chalicelib.inventory.tables import devices

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chalicelib.inventory.rules.device import Device
    from chalicelib.inventory.rules.snapshot import Place
    from chalicelib.inventory.service.snapshots import View
    from chalicelib.inventory.shapes import AttributeCount
    from chalicelib.rights import Names
    from chalicelib.storage.keys import TenantId

_FEW = 100
"""Up to this number, devices are read one by one instead of from a snapshot: one round trip."""
_LISTED = 1_000
"""Up to this row, the plain list is read from its beginning; a page far down must not read all devices before it."""
_HAVING = 20
"""Maximum devices returned by a search for the one with a certain name."""
_TIERS = ("standard", "micro", "system")
"""A device without a tier counts for the first."""


def search(tenant: TenantId, query: Query, start: int, stop: int, groups: Names | None) -> tuple[list[Device], int]:
    """Rows ``start`` to ``stop`` of the matches, and the number of all matches.

    ``groups`` are the static groups whose devices may be found; None: all devices.
    """
    query = query.within(groups)
    if groups is not None and query.group is not None and query.group not in groups:
        return [], 0  # without reading the group, whose size the caller may not see
    if query.everything and stop <= _LISTED and not _is_repeated(tenant, (start, stop)):
        return devices.listed(tenant, start, stop), counts.number(tenant, None, groups)
    view = _view_of(tenant, query)
    ids, total = finding.find(view.snapshot, view.changed, query, start, stop)
    return view.devices(ids), total


def _view_of(tenant: TenantId, query: Query) -> View:
    """The devices among which a query searches, from the cheapest source."""
    few = _few(tenant, query)
    return _view(tenant, whole=bool(query.text)) if few is None else few


class Look:
    """Several questions about the same devices, for one reading of the snapshot."""

    def __init__(self, tenant: TenantId, groups: Names | None) -> None:
        """``groups`` as for :func:`search`."""
        self._groups = groups
        self._view = _view(tenant)

    def find(self, query: Query, stop: int) -> tuple[list[Device], int]:
        """The first ``stop`` devices that a query without a text finds, and how many it finds in all."""
        view = self._view
        ids, total = finding.find(view.snapshot, view.changed, query.within(self._groups), 0, stop)
        return view.devices(ids), total

    def values(self, query: Query, scope: str, attribute: str) -> Counter[Any]:
        """How many of the devices that a query finds have each value of an attribute; None: they do not have it."""
        view = self._view
        return finding.values(view.snapshot, view.changed, query.within(self._groups), (scope, attribute))


def _view(tenant: TenantId, *, whole: bool = False) -> View:
    # Imported here because device calls import this package and never search.
    from chalicelib.inventory.service import snapshots

    return snapshots.view(tenant, whole=whole)


def _is_repeated(tenant: TenantId, page: tuple[int, int]) -> bool:
    """Whether this page was also the last one of the plain list that the process has read for the tenant.

    Then the process reads it by a view, which is dearer once, since it reads the devices one by one, and cheaper from
    then on, since it remembers them.
    """
    # Imported here for the same reason.
    from chalicelib.inventory.service import snapshots

    before = _listed.get(tenant)
    _listed.put(tenant, page)
    return before == page and snapshots.is_cheap(tenant)


_listed: Store[TenantId, tuple[int, int]] = Store()


def _few(tenant: TenantId, query: Query) -> View | None:
    """All devices that the query can find, if there are few."""
    ids = query.ids
    if ids is None and query.group and membership.group_size(tenant, query.group) <= _FEW:
        ids = frozenset(membership.group_members(tenant, query.group))
    if ids is None or len(ids) > _FEW:
        return None
    # Imported here for the same reason.
    from chalicelib.inventory.service.snapshots import View

    return View(tenant, None, {device.id: device for device in devices.find_many(tenant, ids)})


def get(tenant: TenantId, device_id: str) -> Device:
    """One device.

    Raises:
        NotFound: there is none with this id.
    """
    device = devices.find(tenant, device_id)
    if device is None:
        raise NotFound("Device not found")
    return device


def values_of(tenant: TenantId, device_ids: Iterable[str], places: Sequence[Place]) -> dict[str, tuple[Any, ...]]:
    """The values of the attributes ``places`` (scope and name) of the devices that exist, by id; None: without it."""
    wanted = frozenset(device_ids)
    return table(tenant, Query(ids=wanted), places, len(wanted))[0]


def table(tenant: TenantId, query: Query, places: Sequence[Place], most: int) -> tuple[dict[str, tuple[Any, ...]], int]:
    """The same for the first ``most`` devices by id that a query finds, and the number of all that it finds."""
    view = _view_of(tenant, query)
    return finding.table(view.snapshot, view.changed, query, places, most)


def having(tenant: TenantId, scope: str, attribute: str, value: str, groups: Names | None) -> list[str]:
    """Ids of the devices whose attribute has this value; with ``groups``, only those in one of these groups.

    An id is returned as it is, whether a device has it or not.
    """
    if (scope, attribute) == (IDENTITY, "id"):
        return [value]
    found, _ = search(tenant, Query((Predicate(scope, attribute, "$eq", value),)), 0, _HAVING, groups)
    return [device.id for device in found]


def attribute_counts(tenant: TenantId, groups: Names | None) -> list[AttributeCount]:
    """The attributes of all devices with the number of devices, the most frequent first."""
    view = _view(tenant)
    return views.attribute_counts(finding.count(view.snapshot, view.changed, Query().within(groups)))


def statistics(tenant: TenantId, groups: Names | None) -> dict[str, dict[str, int]]:
    """The numbers of accepted and pending devices by tier; with ``groups``, only of those in one of them."""
    if groups is None:
        return {status: msgspec.structs.asdict(numbers) for status, numbers in counts.by_tier(tenant).items()}
    look = Look(tenant, groups)

    def count(*wanted: Predicate) -> int:
        return look.find(Query(wanted), 0)[1]

    found = {}
    for status in ("accepted", "pending"):
        of_status = Predicate(IDENTITY, "status", "$eq", status)
        by_tier = {tier: count(of_status, Predicate(SYSTEM, "tier", "$eq", tier)) for tier in _TIERS[1:]}
        found[status] = {_TIERS[0]: count(of_status) - sum(by_tier.values()), **by_tier}
    return found

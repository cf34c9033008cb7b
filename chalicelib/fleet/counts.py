"""The numbers of a tenant's devices by status and tier. They are exact, since they change with the devices.

Device authentication changes them; their rows are in its table (``devauth/tables.py`` has their keys).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from chalicelib.fleet import membership
from chalicelib.fleet.tables import ACCEPTED, CountItem
from chalicelib.storage import keys
from chalicelib.tiers import PerTier, Place, Tier

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from chalicelib.rights import Names
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Action, Transaction

PENDING = "pending"
_OTHERS = ("noauth", PENDING, "preauthorized", "rejected")
PART = "COUNTS"
_ACCEPTED_SORT = "ACCEPTED"
_SHARDS = 8


def _count_ref(tenant: TenantId, sort: str) -> CountItem:
    return CountItem(keys.partition(tenant, PART), sort)


def _accepted_ref(tenant: TenantId, tier: Tier) -> CountItem:
    return _count_ref(tenant, _ACCEPTED_SORT if tier is Tier.STANDARD else keys.sort(_ACCEPTED_SORT, tier))


def change(tx: Transaction, tenant: TenantId, device_id: str, by: Mapping[Place, int], limits: PerTier) -> None:
    """Change the counts by ``by``; fails with label ``limit`` if more than ``limits`` (-1: none) are accepted."""
    others: Counter[str] = Counter()
    for (status, tier), number in by.items():
        if status == ACCEPTED:
            limit = limits.of(tier)
            condition = _at_most(limit - number) if number > 0 and limit >= 0 else None
            tx.update(_accepted_ref(tenant, tier), [CountItem.n.add(number)], condition, label="limit")
            continue
        others[status] += number
        if status == PENDING and tier is not Tier.STANDARD:
            others[f"pending_{tier}"] += number
    actions: list[Action] = [getattr(CountItem, name).add(number) for name, number in sorted(others.items()) if number]
    if actions:
        shard = hashlib.sha256(device_id.encode()).digest()[0] % _SHARDS
        tx.update(_count_ref(tenant, f"S#{shard}"), actions, label="counts")


def require_accepted_at_most(tx: Transaction, tenant: TenantId, most: PerTier, tiers: Collection[Tier]) -> None:
    """Make a transaction fail with label ``limit`` if more than ``most`` devices of one of ``tiers`` are accepted.

    -1 means no limit.
    """
    for tier in tiers:
        if most.of(tier) >= 0:
            tx.check(_accepted_ref(tenant, tier), _at_most(most.of(tier)), label="limit")


def _at_most(most: int) -> Any:
    few = CountItem.n <= most
    # A missing row counts as 0.
    return CountItem.n.does_not_exist() | few if most >= 0 else few


def of_tenant(tenant: TenantId) -> dict[Place, int]:
    """The numbers of devices by status and tier, strongly consistent: one query of at most 11 rows.

    Tiers are counted separately for accepted and pending devices only; all others count as standard.
    """
    totals: Counter[Place] = Counter()
    for row in CountItem.query(keys.partition(tenant, PART), consistent_read=True):
        if row.sk.startswith(_ACCEPTED_SORT):
            tier = Tier(keys.last_part(row.sk)) if row.sk != _ACCEPTED_SORT else Tier.STANDARD
            totals[ACCEPTED, tier] += row.n or 0
            continue
        for status in _OTHERS:
            totals[status, Tier.STANDARD] += getattr(row, status) or 0
        for tier in (Tier.MICRO, Tier.SYSTEM):
            number = getattr(row, f"pending_{tier}") or 0
            totals[PENDING, tier] += number
            totals[PENDING, Tier.STANDARD] -= number
    return dict(totals)


def number(tenant: TenantId, status: str | None, groups: Names | None) -> int:
    """The number of devices, all or with a status; with ``groups``, only of those groups."""
    if groups is not None:
        members = membership.statuses_of_members(tenant, groups).values()
        return sum(status is None or member == status for member in members)
    return sum(count for (each, _), count in of_tenant(tenant).items() if status in {None, each})


def by_tier(tenant: TenantId) -> dict[str, PerTier]:
    """The numbers of accepted and of pending devices, by tier."""
    counts = of_tenant(tenant)
    return {
        status: PerTier(**{str(tier): counts.get((status, tier), 0) for tier in Tier}) for status in (ACCEPTED, PENDING)
    }


def accepted_by_tier(tenant: TenantId) -> PerTier:
    """The numbers of accepted devices, by tier."""
    return by_tier(tenant)[ACCEPTED]

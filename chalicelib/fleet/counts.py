"""The numbers of a tenant's devices by status and tier. They are exact, since they change with the devices.

Device authentication changes them; their rows are in its table (``devauth/tables`` has their keys).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from chalicelib.fleet import control, control_items, membership, parts, places
from chalicelib.fleet.head import ACCEPTED
from chalicelib.fleet.tables import CountItem
from chalicelib.storage import erasing, keys
from chalicelib.tiers import UNLIMITED, PerTier, Place, Tier

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from chalicelib.fleet.control import Control
    from chalicelib.rights import Names
    from chalicelib.storage.base import Action
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

PENDING = "pending"
_OTHERS = ("noauth", PENDING, "preauthorized", "rejected")
_SHARDS = 8


def change(tx: Transaction, tenant: TenantId, device_id: str, by: Mapping[Place, int], known: Control) -> None:
    """Change the counts by ``by``; fails with label ``limit`` if too many devices would be accepted.

    ``known``: the tenant's control item, read just now if a device becomes accepted.
    """
    count = known.parts_to_write
    if count > 1:
        _change_part(tx, tenant, places.part_ref(tenant, parts.part_of(device_id, count)), by, known)
        return
    if known.devices != UNLIMITED and any(status == ACCEPTED and number > 0 for (status, _), number in by.items()):
        control_items.require_limits(tx, tenant, known.devices)
    for (status, tier), number in by.items():
        if status == ACCEPTED:
            limit = known.devices.of(tier)
            condition = places.at_most(limit - number) if number > 0 and limit >= 0 else None
            tx.update(places.accepted_ref(tenant, tier), [CountItem.n.add(number)], condition, label=places.LIMIT)
    if actions := _others(by):
        shard = hashlib.sha256(device_id.encode()).digest()[0] % _SHARDS
        tx.update(CountItem(keys.partition(tenant, places.PARTITION), f"S#{shard}"), actions, label="counts")


def _change_part(tx: Transaction, tenant: TenantId, part: CountItem, by: Mapping[Place, int], known: Control) -> None:
    actions, accepting = _others(by), None
    for (status, tier), number in by.items():
        if status == ACCEPTED and number < 0:
            actions += places.leave(tier)
        elif status == ACCEPTED:
            accepting = tier
    if accepting is not None:
        tx.late(places.Acceptance(tenant, known, part, accepting, actions))
    elif actions:
        tx.update(part, actions, label="counts")


def _others(by: Mapping[Place, int]) -> list[Action]:
    """The changes of all numbers but those of accepted devices."""
    others: Counter[str] = Counter()
    for (status, tier), number in by.items():
        if status == ACCEPTED:
            continue
        others[status] += number
        if status == PENDING and tier is not Tier.STANDARD:
            others[f"pending_{tier}"] += number
    return [getattr(CountItem, name).add(number) for name, number in sorted(others.items()) if number]


def require_accepted_at_most(tx: Transaction, tenant: TenantId, most: PerTier, tiers: Collection[Tier]) -> None:
    """Make a transaction fail with label ``limit`` if more than ``most`` devices of one of ``tiers`` are accepted.

    -1 means no limit. In a large tenant, places that no device has count as devices, so they are taken back first.
    """
    count = control.get(tenant).parts
    for tier in tiers:
        if most.of(tier) >= 0:
            if count > 1:
                places.lower(tenant, tier, most.of(tier), count)
            tx.check(places.accepted_ref(tenant, tier), places.at_most(most.of(tier)), label=places.LIMIT)


def of_tenant(tenant: TenantId) -> dict[Place, int]:
    """The numbers of devices by status and tier, strongly consistent: one query of at most 11 rows.

    Tiers are counted separately for accepted and pending devices only; all others count as standard. In a large tenant
    the rows of its parts are read too, in 2 more round trips.
    """
    totals: Counter[Place] = Counter()
    count = control.get(tenant).parts
    rows = list(CountItem.query(keys.partition(tenant, places.PARTITION), consistent_read=True))
    divided = places.of_parts(tenant, count) if count > 1 else []
    for row in (*rows, *divided):
        tier = places.tier_of(row)
        if tier is not None:
            totals[ACCEPTED, tier] += places.number(row, "n") - places.number(row, "given")
            continue
        for status in _OTHERS:
            totals[status, Tier.STANDARD] += places.number(row, status)
        for tier in (Tier.MICRO, Tier.SYSTEM):
            number = places.number(row, PENDING, tier)
            totals[PENDING, tier] += number
            totals[PENDING, Tier.STANDARD] -= number
    for row in divided:
        for tier in Tier:
            totals[ACCEPTED, tier] += places.number(row, ACCEPTED, tier)
    return dict(totals)


def erase(tenant: TenantId) -> int:
    """Erase the counts of a removed tenant; returns the number of items."""
    count = control.get(tenant, fresh=True).parts
    divided = places.of_parts(tenant, count) if count > 1 else []
    whole = erasing.partition(CountItem, keys.partition(tenant, places.PARTITION))
    return whole + erasing.rows(CountItem, ((row.pk, row.sk) for row in divided))


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

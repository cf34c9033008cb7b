"""Acceptance rules, which are one item, and the numbers of devices that they accepted today."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from chalicelib.devauth.rules.acceptance import SHARDS, Rule, shards, share
from chalicelib.devauth.tables import DevauthItem
from chalicelib.fleet import control_items
from chalicelib.storage import erasing, keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

_RULES = "RULES"


class RulesItem(DevauthItem):
    """All rules of a tenant."""

    rules = BlobAttribute()
    revision = IntegerAttribute()


class RuledItem(DevauthItem):
    """Counts devices that a rule accepted on a day."""

    n = IntegerAttribute(default=0)
    expires_at = IntegerAttribute()


class Rules(msgspec.Struct, frozen=True):
    """The rules of a tenant, oldest first, and how often they have changed."""

    rules: tuple[Rule, ...] = ()
    revision: int = 0


def _ref(tenant: TenantId) -> RulesItem:
    return RulesItem(keys.partition(tenant, _RULES), _RULES)


def of_tenant(tenant: TenantId) -> Rules:
    """The rules as they are now (strongly consistent)."""
    item = _ref(tenant).fetch()
    return (
        Rules() if item is None else Rules(msgspec.convert(item.rules, tuple[Rule, ...], strict=False), item.revision)
    )


def save(tx: Transaction, tenant: TenantId, before: Rules, after: tuple[Rule, ...], kinds: list[str]) -> None:
    """Replace the rules; fails with label ``rules`` if they have changed since ``before``."""
    item = _ref(tenant)
    item.rules, item.revision = msgspec.to_builtins(after), before.revision + 1
    same = RulesItem.revision == before.revision if before.revision else RulesItem.pk.does_not_exist()
    tx.put(item, same, label="rules")
    control_items.change_acceptance(tx, tenant, kinds, item.revision)


def _count_ref(tenant: TenantId, rule: Rule, day: datetime, shard: int) -> RuledItem:
    counted = keys.sort(f"{day:%Y-%m-%d}", rule.id, str(rule.counting))
    return RuledItem(keys.partition(tenant, "RULED", f"{shard:x}"), counted)


def count(tx: Transaction, tenant: TenantId, rule: Rule, now: datetime, shard: int) -> None:
    """Count a device that a rule accepts in one of its items for this day; fails if that item has its share."""
    most = share(rule, shard)
    capacity = None
    if most is not None:
        # An item whose share is 0 must not count its first device either.
        capacity = (RuledItem.n < most) | RuledItem.n.does_not_exist() if most else RuledItem.n < most
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    actions = [RuledItem.n.add(1), RuledItem.expires_at.set(int(midnight.timestamp()) + 1)]
    tx.update(_count_ref(tenant, rule, now, shard), actions, capacity, label="count")


def counted(tenant: TenantId, rules: tuple[Rule, ...], now: datetime) -> dict[str, list[int]]:
    """The numbers of devices that rules accepted today, by rule and shard (strongly consistent)."""
    refs = {(rule.id, shard): _count_ref(tenant, rule, now, shard) for rule in rules for shard in range(shards(rule))}
    found = RuledItem.batch_get([(ref.pk, ref.sk) for ref in refs.values()], consistent_read=True)
    numbers = {(item.pk, item.sk): item.n for item in found}
    counts: dict[str, list[int]] = {rule.id: [] for rule in rules}
    for (rule_id, _), ref in refs.items():
        counts[rule_id].append(numbers.get((ref.pk, ref.sk), 0))
    return counts


def erase(tenant: TenantId) -> int:
    """Erase the rules of a removed tenant and their counts; returns the number of items.

    By the rules, an interrupted erasure knows what else there may be, so they are erased last.
    """
    numbers = sum(
        erasing.partition(RuledItem, keys.partition(tenant, "RULED", f"{shard:x}")) for shard in range(SHARDS)
    )
    return numbers + erasing.partition(RulesItem, keys.partition(tenant, _RULES))

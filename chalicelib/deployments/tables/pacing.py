"""How fast devices begin: none while a deployment is paused, and a limited number a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib import limits
from chalicelib.deployments.tables.counters import begin_phases, last_of_part
from chalicelib.deployments.tables.items import CounterItem, MinuteItem, counter_ref, minute_key, shard_of, table
from chalicelib.storage.parallel import in_parallel
from chalicelib.storage.writes import Update
from chalicelib.storage.writes import number as typed_number

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction


def hold(tx: Transaction, tenant: TenantId, plan: Plan, *, held: bool) -> None:
    """Let no device begin in a deployment that is not large (``held``), or let devices begin again."""
    action = CounterItem.held.set(True) if held else CounterItem.held.remove()
    for number in range(plan.shards):
        tx.update(counter_ref(tenant, plan, number), [action], CounterItem.pk.exists(), label="counter")


def hold_parts(tenant: TenantId, plan: Plan, revision: int, *, held: bool) -> None:
    """As :func:`hold` for all parts of a large deployment, unless a later revision has done so. Can be run again."""
    older = CounterItem.revision.does_not_exist() | (CounterItem.revision < revision)
    actions = [
        CounterItem.held.set(True) if held else CounterItem.held.remove(),
        CounterItem.revision.set(revision),
    ]

    def hold_one(part: int) -> None:
        known = counter_ref(tenant, plan, part)
        if known.update_if(actions, CounterItem.pk.exists() & older) or known.fetch() is not None:
            return
        # Also to let devices begin: a slower call that holds them for an earlier revision must find this one.
        first = counter_ref(tenant, plan, part)
        first.last, first.held, first.revision = last_of_part(plan, part), held or None, revision
        begin_phases(first, plan)
        if not first.save_if(CounterItem.pk.does_not_exist()):
            hold_one(part)  # its first device has begun meanwhile

    in_parallel(hold_one, range(plan.parts))


def count_in_minute(tx: Transaction, tenant: TenantId, plan: Plan, device_id: str, now: datetime) -> None:
    """Count a device that begins in this minute; fails with label ``rate`` if no more may begin.

    A high rate is divided among several items, so each device may begin as long as its item has capacity.
    """
    if plan.rate is None:
        return
    share = share_of_minute(plan, device_id)
    most = _most_of_minute(plan.rate, share)
    minute = minute_of(now)
    item = Update(table(), *minute_key(tenant, plan.id, minute, share)).add("begun", 1)
    item.set("expires_at", typed_number((minute + _KEPT) * 60))
    tx.write(item.require("(attribute_not_exists(#begun) OR #begun < :most)", most=typed_number(most)), label="rate")


def begun_in_minute(
    tenant: TenantId, plans: Iterable[Plan], device_id: str, now: datetime
) -> dict[str, tuple[int, int]]:
    """How many devices have begun in this minute, and how many may, of those that are counted with this one.

    By the id of each deployment that has a rate; 100 per round trip.
    """
    most: dict[str, int] = {}
    wanted: dict[str, tuple[str, str]] = {}
    for plan in plans:
        if plan.rate is not None:
            share = share_of_minute(plan, device_id)
            most[plan.id] = _most_of_minute(plan.rate, share)
            wanted[plan.id] = minute_key(tenant, plan.id, minute_of(now), share)
    begun = {(item.pk, item.sk): item.begun for item in MinuteItem.batch_get(list(wanted.values()))}
    return {deployment: (begun.get(key, 0), most[deployment]) for deployment, key in wanted.items()}


def share_of_minute(plan: Plan, device_id: str) -> int:
    """Which of the items that count the devices of a minute counts this one."""
    return 0 if plan.rate is None else shard_of(device_id, _shares_of_minute(plan.rate))


def _shares_of_minute(rate: int) -> int:
    return max(1, -(-rate * limits.ROLLOUT_RATE_ITEMS // limits.ROLLOUT_RATE))


def _most_of_minute(rate: int, share: int) -> int:
    shares = _shares_of_minute(rate)
    return rate * (share + 1) // shares - rate * share // shares


def minute_of(now: datetime) -> int:
    """The minute since 1970."""
    return int(now.timestamp()) // 60


_KEPT: Final = 60
"""Minutes after which a ``MinuteItem`` expires."""

"""Counts of devices in the parts of large tenants, and the limit of accepted devices there.

One number per tenant that each acceptance changes, with the limit as its condition, would take too many writes. So
parts get places in blocks (``places``), under the limit, and each acceptance takes a place of its part (``free``).

- The tenant's row ``ACCEPTED`` has in ``n`` the devices that it counted itself plus all places of parts (``given``).
- A part's row counts the devices that were accepted in it, less those that are no longer accepted there, and its free
  places. Places of parts are never fewer than their devices, so ``n`` is at least the number of accepted devices.
- A part may use free places while ``terms`` (``control.Control.terms``) are those under which it last got places.
  ``n`` was within the limit then, and has grown under the same limit only. When terms have changed, it asks again.
- If ``n`` has reached the limit, free places of all parts are taken back first.

Without a limit places are given out too, so that a limit which is set later holds at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.errors import Unavailable
from chalicelib.fleet import control, control_items, parts
from chalicelib.fleet.head import ACCEPTED
from chalicelib.fleet.tables import CountItem
from chalicelib.storage import keys
from chalicelib.storage.transactions import ConditionFailed, Transaction
from chalicelib.tiers import Tier

if TYPE_CHECKING:
    from chalicelib.fleet.control import Control
    from chalicelib.storage.base import Action
    from chalicelib.storage.keys import TenantId

PARTITION = "COUNTS"
LIMIT = "limit"
"""The label of the condition that fails when the limit is reached."""
_SORT = "PART"
_ACCEPTED_SORT = "ACCEPTED"
BLOCK = 100
"""The most places that a part gets at once."""
_AT_ONCE = 25
"""Parts whose places one transaction takes back."""
_LOOKS = 8


def part_ref(tenant: TenantId, part: int) -> CountItem:
    """The counts of a part."""
    return CountItem(keys.partition(tenant, PARTITION, parts.text(part)), _SORT)


def accepted_ref(tenant: TenantId, tier: Tier) -> CountItem:
    """The tenant's number of accepted devices of a tier."""
    sort = _ACCEPTED_SORT if tier is Tier.STANDARD else keys.sort(_ACCEPTED_SORT, tier)
    return CountItem(keys.partition(tenant, PARTITION), sort)


def tier_of(row: CountItem) -> Tier | None:
    """The tier that a row of accepted devices counts; None for another row."""
    if row.sk == _ACCEPTED_SORT:
        return Tier.STANDARD
    return Tier(keys.last_part(row.sk)) if row.sk.startswith(_ACCEPTED_SORT) else None


def number(row: CountItem, name: str, tier: Tier = Tier.STANDARD) -> int:
    """What a row counts of a tier."""
    return getattr(row, _name(name, tier)) or 0


def _name(name: str, tier: Tier) -> str:
    return name if tier is Tier.STANDARD else f"{name}_{tier}"


def _column(name: str, tier: Tier) -> Any:
    return getattr(CountItem, _name(name, tier))


def of_parts(tenant: TenantId, count: int) -> list[CountItem]:
    """The rows of ``count`` parts, as far as they exist (strongly consistent); 100 per round trip."""
    refs = [part_ref(tenant, part) for part in range(count)]
    return list(CountItem.batch_get([(ref.pk, ref.sk) for ref in refs], consistent_read=True))


def at_most(most: int) -> Any:
    """The condition that a row of accepted devices has at most this ``n``."""
    few = CountItem.n <= most
    # A missing row counts as 0.
    return CountItem.n.does_not_exist() | few if most >= 0 else few


def leave(tier: Tier) -> list[Action]:
    """The actions for the row of a part if a device is no longer accepted there."""
    return [_column(ACCEPTED, tier).add(-1), _column("free", tier).add(1)]


class Acceptance:
    """Counts a device as accepted, in late writes of the transaction that accepts it (``Transaction.late``).

    The first attempt takes a free place of the part without reading anything, which is enough nearly always.
    """

    def __init__(self, tenant: TenantId, known: Control, part: CountItem, tier: Tier, actions: list[Action]) -> None:
        """``known``: the control item, read just now; ``actions``: other changes of the part's row."""
        self._tenant = tenant
        self._known: Control | None = known
        self._part = part
        self._tier = tier
        self._actions = [*actions, _column(ACCEPTED, tier).add(1)]

    def __call__(self, tx: Transaction) -> None:
        """Add the writes.

        Raises:
            ConditionFailed: with label ``limit``: the limit is reached.
            Unavailable: the numbers changed too often meanwhile.
        """
        free, terms = _column("free", self._tier), _column("terms", self._tier)
        if self._known is not None:
            usable = (free >= 1) & (terms == self._known.terms)
            self._known = None
            tx.update(self._part, [*self._actions, free.add(-1)], usable, label="places")
            return
        known = control.get(self._tenant, fresh=True)
        limit = known.devices.of(self._tier)
        block = self._block(known, limit)
        control_items.require_terms(tx, self._tenant, known.terms)
        tx.update(
            accepted_ref(self._tenant, self._tier),
            [CountItem.n.add(block), CountItem.given.add(block)],
            at_most(limit - block) if limit >= 0 else None,
            label=LIMIT,
        )
        now_free = [free.add(block - 1)] if block > 1 else []
        tx.update(self._part, [*self._actions, *now_free, terms.set(known.terms)], label="places")

    def _block(self, known: Control, limit: int) -> int:
        """How many places the part gets; one of them is for the device."""
        if limit < 0:
            return BLOCK
        taken = lower(self._tenant, self._tier, limit - 1, known.parts)
        if taken is None:
            raise ConditionFailed({LIMIT: None})
        # Small blocks near the limit, where places that other parts do not use would have to be taken back.
        return max(1, min(BLOCK, (limit - taken) // (2 * known.parts)))


def lower(tenant: TenantId, tier: Tier, most: int, count: int) -> int | None:
    """Take back free places of the parts if more than ``most`` devices and places of a tier are counted.

    Returns how many are counted then; None if there are more than ``most`` devices, so that it would be of no use.

    Raises:
        Unavailable: the numbers changed too often meanwhile.
    """
    for _ in range(_LOOKS):
        taken = _taken(tenant, tier)
        if taken <= most:
            return taken
        rows = [row for row in of_parts(tenant, count) if number(row, "free", tier) > 0]
        if taken - sum(number(row, "free", tier) for row in rows) <= most:
            for begin in range(0, len(rows), _AT_ONCE):
                _take_back(tenant, tier, rows[begin : begin + _AT_ONCE])
        elif _taken(tenant, tier) == taken:
            return None
    raise Unavailable(retry_after=1)


def _taken(tenant: TenantId, tier: Tier) -> int:
    row = accepted_ref(tenant, tier).fetch()
    return 0 if row is None else number(row, "n")


def _take_back(tenant: TenantId, tier: Tier, rows: list[CountItem]) -> None:
    """Take back the free places of some parts, unless they have fewer by now."""
    tx, free = Transaction(), _column("free", tier)
    for row in rows:
        places = number(row, "free", tier)
        tx.update(CountItem(row.pk, row.sk), [free.add(-places)], free >= places)
    places = sum(number(row, "free", tier) for row in rows)
    tx.update(accepted_ref(tenant, tier), [CountItem.n.add(-places), CountItem.given.add(-places)])
    tx.try_commit()

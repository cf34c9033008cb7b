"""A tenant's open deployments: the newest are in its control item, the others in pages.

A write costs by the size of the whole item, and each process reads the control item every few seconds. So when it has
:data:`RECENT` deployments, these are moved to a page, an item of its own. The control item counts the changes of pages,
and processes read these only after a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chalicelib.cache import Store
from chalicelib.fleet import schema
from chalicelib.fleet.tables import ControlItem, OpenPageItem
from chalicelib.storage import keys

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

RECENT: Final = 16
"""The maximum number of deployments in the control item, and in a page. Both then remain below 1 KB."""
_PREFIX: Final = "OPEN"
_VERSION: Final = 4
"""The version of the stored data from which all code that may run knows pages."""
_KNOWN: Final = 100_000
"""The number of deployments of all tenants together that a process remembers."""


class Opened(msgspec.Struct, frozen=True):
    """The open deployments of a tenant. Each mapping is from ids to sequence numbers."""

    all: Mapping[str, int]
    """Oldest first."""
    recent: Mapping[str, int]
    """Those in the control item."""
    pages: Mapping[str, Mapping[str, int]]
    """The others by the sort key of their page."""
    revision: int
    """The number of changes of pages."""


_known: Store[TenantId, Opened] = Store(_KNOWN, weigh=lambda opened: 1 + len(opened.all))


def read(tenant: TenantId, item: ControlItem) -> Opened:
    """The open deployments, by a control item that was just read; pages are read only if they have changed.

    Without a change the result is the same object as before.
    """
    known, recent, revision = _known.get(tenant), recent_of(item), item.pages or 0
    if known is not None and known.recent == recent and known.revision == revision:
        return known
    pages: Mapping[str, Mapping[str, int]] = {}
    if item.paged:
        # Pages that are read after the control item may be newer, but then its next read shows another number.
        pages = known.pages if known is not None and known.revision == revision else _read_pages(tenant)
    found = [*recent.items(), *(each for page in pages.values() for each in page.items())]
    opened = Opened(dict(sorted(found, key=lambda each: each[1])), recent, pages, revision)
    _known.put(tenant, opened)
    return opened


def last_read(tenant: TenantId) -> Opened | None:
    """The open deployments as this process has read them at some time."""
    return _known.get(tenant)


def recent_of(item: ControlItem) -> dict[str, int]:
    """The open deployments in a control item."""
    return _numbers(item.open)


def _read_pages(tenant: TenantId) -> dict[str, dict[str, int]]:
    stored = OpenPageItem.query(keys.partition(tenant), OpenPageItem.sk.startswith(f"{_PREFIX}#"), consistent_read=True)
    return {page.sk: _numbers(page.open) for page in stored}


def _numbers(stored: Any) -> dict[str, int]:
    return {deployment: int(sequence) for deployment, sequence in stored.as_dict().items()}


def add(tx: Transaction, ref: ControlItem, recent: Mapping[str, int], deployment: str, sequence: int) -> None:
    """Add a deployment to the control item; if that is full, move the oldest ones to a new page.

    Fails with label ``control`` if the moved ones are no longer there, or one with a higher sequence number was added.
    """
    actions = [ControlItem.open[deployment].set(sequence), ControlItem.newest.set(sequence)]
    # Who has seen a number has seen all lower ones too.
    condition = ControlItem.pk.exists() & (ControlItem.newest.does_not_exist() | (ControlItem.newest < sequence))
    if len(recent) >= RECENT and schema.is_at_least(_VERSION):
        moved = dict(sorted(recent.items(), key=lambda each: each[1])[:RECENT])
        page = OpenPageItem(ref.pk, keys.sort(_PREFIX, keys.number(min(moved.values()))), open=moved, n=len(moved))
        tx.put(page, OpenPageItem.pk.does_not_exist(), label="page")
        actions += [ControlItem.pages.add(1), ControlItem.paged.add(len(moved))]
        for each in moved:
            actions.append(ControlItem.open[each].remove())
            condition &= ControlItem.open[each].exists()
    tx.update(ref, actions, condition, label="control")


def remove(tx: Transaction, ref: ControlItem, opened: Opened | None, deployment: str) -> None:
    """Remove a deployment from the control item or from its page.

    A condition fails if it is not where ``opened`` says (by default in the control item).
    """
    place = next((sk for sk, page in opened.pages.items() if deployment in page), None) if opened is not None else None
    if opened is None or place is None:
        is_there = ControlItem.open[deployment].exists()
        has_no_pages = ControlItem.paged.does_not_exist() | (ControlItem.paged == 0)
        actions = [ControlItem.open[deployment].remove()]
        tx.update(ref, actions, ControlItem.pk.exists() & (is_there | has_no_pages), label="control")
        return
    page, is_there = OpenPageItem(ref.pk, place), OpenPageItem.open[deployment].exists()
    if len(opened.pages[place]) == 1:
        tx.delete(page, is_there & (OpenPageItem.n == 1), label="page")
    else:
        actions = [OpenPageItem.open[deployment].remove(), OpenPageItem.n.add(-1)]
        tx.update(page, actions, is_there & (OpenPageItem.n > 1), label="page")
    tx.update(ref, [ControlItem.pages.add(1), ControlItem.paged.add(-1)], ControlItem.pk.exists(), label="control")

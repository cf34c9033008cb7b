"""A tenant's open deployments: the newest are in its control item, the others in pages.

A write costs by the size of the whole item, and each process reads the control item every few seconds. So when it has
:data:`RECENT` deployments, these are moved to a page, an item of its own. The control item counts the changes of pages,
and processes read these only after a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib.cache import Store
from chalicelib.storage import keys
from chalicelib.storage.records import Range, Reader

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

RECENT: Final = 16
"""The maximum number of deployments in the control item, and in a page. Both then remain below 1 KB."""
PREFIX: Final = "OPEN"
"""The beginning of the sort keys of pages."""
_KNOWN: Final = 100_000
"""The number of deployments of all tenants together that a process remembers."""


Entry = tuple[int, str]
"""The sequence number of a deployment, and the state of its rollout in the form of ``deployments``; empty: none."""


class Opened(msgspec.Struct, frozen=True):
    """The open deployments of a tenant. Each mapping is from ids."""

    all: Mapping[str, int]
    """Their sequence numbers, oldest first."""
    states: Mapping[str, str]
    """The states of rollouts that are not empty."""
    recent: Mapping[str, Entry]
    """Those in the control item."""
    pages: Mapping[str, Mapping[str, Entry]]
    """The others by the sort key of their page."""
    revision: int
    """The number of changes of pages."""


_known: Store[TenantId, Opened] = Store(_KNOWN, weigh=lambda opened: 1 + len(opened.all))


class OpenRecord(msgspec.Struct, frozen=True):
    """What an item stores of open deployments; ``fleet.tables`` describes the attributes."""

    pk: str
    sk: str
    open: dict[str, tuple[int, str]] = {}
    newest: int | None = None
    paged: int | None = None
    pages_revision: int | None = None


_reader = Reader(OpenRecord)


def read(tenant: TenantId, item: OpenRecord) -> Opened:
    """The open deployments, by a control item that was just read; pages are read only if they have changed.

    Without a change the result is the same object as before.
    """
    known, recent, revision = _known.get(tenant), item.open, item.pages_revision or 0
    if known is not None and known.recent == recent and known.revision == revision:
        return known
    pages: Mapping[str, Mapping[str, Entry]] = {}
    if item.paged:
        # Pages that are read after the control item may be newer, but then its next read shows another number.
        pages = known.pages if known is not None and known.revision == revision else _read_pages(tenant)
    found = [*recent.items(), *(each for page in pages.values() for each in page.items())]
    numbers = {deployment: sequence for deployment, (sequence, _) in sorted(found, key=lambda each: each[1])}
    states = {deployment: state for deployment, (_, state) in found if state}
    opened = Opened(numbers, states, recent, pages, revision)
    _known.put(tenant, opened)
    return opened


def last_read(tenant: TenantId) -> Opened | None:
    """The open deployments as this process has read them at some time."""
    return _known.get(tenant)


def _read_pages(tenant: TenantId) -> dict[str, dict[str, Entry]]:
    found = _reader.query(keys.table("fleet"), keys.partition(tenant), Range("begins", f"{PREFIX}#"))
    return {page.sk: page.open for page in found}

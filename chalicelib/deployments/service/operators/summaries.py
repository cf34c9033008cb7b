"""Reads summaries of all of a tenant's deployments, and packs those of older ones into blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib import clock
from chalicelib.cache import Store
from chalicelib.deployments.rules.deployment import Deployment
from chalicelib.deployments.rules.summaries import SIZE, Block, complete_blocks, summarize
from chalicelib.deployments.tables import deployments
from chalicelib.deployments.tables import summaries as table
from chalicelib.deployments.tables.items import place

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

_AT_ONCE: Final = 25
"""Blocks that one call stores: one round trip."""
_HELD: Final = 400
"""Blocks in memory, of about 30 KB each."""


class _Known(msgspec.Struct, frozen=True):
    """The blocks of a tenant that this process has read, and the place of the last one."""

    last: str | None = None
    blocks: tuple[Block, ...] = ()


class All(msgspec.Struct, frozen=True):
    """Summaries of all deployments of a tenant, oldest first."""

    blocks: list[Block]
    later: dict[str, Deployment]
    """Those that are in no stored block yet, by id."""

    def __len__(self) -> int:
        """The number of deployments."""
        return sum(len(block.summaries) for block in self.blocks)


_known: Store[TenantId, _Known] = Store(_HELD, weigh=lambda known: 1 + len(known.blocks))


def read(tenant: TenantId) -> All:
    """Summaries of all deployments.

    A process reads each block once, and each time all deployments after the last block that it knows.
    """
    known = _known.get(tenant) or _read_blocks(tenant, _Known())
    later = deployments.after(tenant, known.last)
    if len(later) >= 2 * SIZE:
        # Other processes have probably made blocks of them.
        known = _read_blocks(tenant, known)
        later = [each for each in later if known.last is None or place(each.plan) > known.last]
    if complete := complete_blocks(later, clock.now())[:_AT_ONCE]:
        table.put(tenant, complete)
        made = (Block(list(map(summarize, block))) for block in complete)
        known = _Known(place(complete[-1][-1].plan), (*known.blocks, *made))
        _known.put(tenant, known)
    rest = later[sum(map(len, complete)) :]
    return All([*known.blocks, Block(list(map(summarize, rest)))], {each.id: each for each in later})


def _read_blocks(tenant: TenantId, known: _Known) -> _Known:
    found = table.read(tenant, known.last)
    if found:
        known = _Known(found[-1][0], (*known.blocks, *(Block(summaries) for _, summaries in found)))
    _known.put(tenant, known)
    return known

"""Blocks of summaries of a tenant's deployments (``rules.summaries``). A block never changes.

Whoever makes a block from the same deployments makes the same one, so it may be stored twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chalicelib.deployments.rules.summaries import Summary, summarize
from chalicelib.deployments.tables.items import DeploymentsItem, place
from chalicelib.storage import erasing, keys
from chalicelib.storage.base import BlobAttribute

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chalicelib.deployments.rules.deployment import Deployment
    from chalicelib.storage.keys import TenantId


class BlockItem(DeploymentsItem):
    """A block; its sort key is the place of its last deployment in the list of all."""

    summaries = BlobAttribute()


def _partition(tenant: TenantId) -> str:
    return keys.partition(tenant, "SUMMARIES")


def read(tenant: TenantId, after: str | None) -> list[tuple[str, list[Summary]]]:
    """The blocks after the one with this place, in order, each with its place. The last ones may be missing."""
    beyond = None if after is None else BlockItem.sk > after
    found = BlockItem.query(_partition(tenant), beyond)
    return [(item.sk, msgspec.convert(item.summaries, list[Summary])) for item in found]


def put(tenant: TenantId, blocks: Iterable[Sequence[Deployment]]) -> None:
    """Store blocks of these deployments; 25 per round trip."""
    with BlockItem.batch_write() as batch:
        for block in blocks:
            item = BlockItem(_partition(tenant), place(block[-1].plan))
            item.summaries = list(map(summarize, block))
            batch.save(item)


def erase(tenant: TenantId) -> int:
    """Erase the blocks of a removed tenant; returns their number."""
    return erasing.partition(BlockItem, _partition(tenant))

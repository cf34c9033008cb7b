"""A tenant's trusted keys: all in one item, because each upload is checked with all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chalicelib.artifacts.rules import TrustedKey
from chalicelib.artifacts.tables import ArtifactsItem
from chalicelib.storage import keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pynamodb.expressions.condition import Condition

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

LABEL = "trusted keys"
"""Label of what fails if the keys have changed since they were read."""
_SORT = "TRUST"


class TrustItem(ArtifactsItem):
    """The trusted keys. It is erased with the tenant's totals, which are in the same partition."""

    stored = BlobAttribute(default=list)
    """A list of ``rules.TrustedKey``."""
    version = IntegerAttribute(default=0)
    """Counts changes."""

    @property
    def keys(self) -> list[TrustedKey]:
        """The keys, oldest first."""
        return msgspec.convert(self.stored, list[TrustedKey])


def find(tenant: TenantId) -> TrustItem:
    """The keys as they are now."""
    pk = keys.partition(tenant)
    return TrustItem.find(pk, _SORT) or TrustItem(pk, _SORT)


def save(tx: Transaction, item: TrustItem, wanted: Sequence[TrustedKey]) -> None:
    """Replace the keys that were read as ``item``; fails with :data:`LABEL` if they have changed meanwhile."""
    new = TrustItem(item.pk, item.sk, stored=list(wanted), version=item.version + 1)
    tx.put(new, _unchanged(item), label=LABEL)


def require(tx: Transaction, item: TrustItem) -> None:
    """Make a transaction fail with :data:`LABEL` if the keys have changed since they were read as ``item``."""
    tx.check(item, _unchanged(item), label=LABEL)


def _unchanged(item: TrustItem) -> Condition:
    return TrustItem.version == item.version if item.version else TrustItem.pk.does_not_exist()

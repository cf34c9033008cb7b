"""A tenant's totals: storage and counts, payload types, distinct tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pynamodb.attributes import UnicodeAttribute, UnicodeSetAttribute

from chalicelib.artifacts.tables import ArtifactsItem
from chalicelib.storage import erasing, keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

LABEL = "usage"
"""Label of the write that counts bytes: its condition is the tenant's storage limit."""
TAGS_LABEL = "tags"
"""Label of the write of the distinct tags. It fails if another write came first."""
_FIRST = "\x01"
"""A sort key before every printable name."""
_USAGE, _TYPES, _TAGS = "USAGE", "TYPES", "TAGS"


class UsageItem(ArtifactsItem):
    """Totals. ``stored`` is in bytes. In the index they come before the releases, for the total of a list."""

    list_pk = UnicodeAttribute(null=True)
    list_sk = UnicodeAttribute(null=True)
    stored = IntegerAttribute(default=0)
    artifact_count = IntegerAttribute(default=0)
    release_count = IntegerAttribute(default=0)


class TypesItem(ArtifactsItem):
    """Payload types; none is ever removed."""

    names: UnicodeSetAttribute = UnicodeSetAttribute(null=True)


class TagsItem(ArtifactsItem):
    """The number of releases with each tag. ``version`` counts changes."""

    counts = BlobAttribute(default=dict)
    version = IntegerAttribute(default=0)


def find(tenant: TenantId) -> UsageItem:
    """The totals as they are now."""
    pk = keys.partition(tenant)
    return UsageItem.find(pk, _USAGE) or UsageItem(pk, _USAGE)


def add(tx: Transaction, tenant: TenantId, *, size: int, artifacts: int, releases: int, limit: int = 0) -> None:
    """Count a change. A ``limit`` above 0 is the maximum of stored bytes, checked by the write's condition."""
    actions = [
        UsageItem.stored.add(size),
        UsageItem.artifact_count.add(artifacts),
        UsageItem.release_count.add(releases),
        UsageItem.list_pk.set(keys.partition(tenant, "RELEASES")),
        UsageItem.list_sk.set(_FIRST),
    ]
    condition = None
    if limit:
        # The comparison cannot handle a missing attribute (nothing stored yet); a file above the limit never fits.
        condition = UsageItem.stored <= limit - size
        if size <= limit:
            condition |= UsageItem.stored.does_not_exist()
    tx.update(UsageItem(keys.partition(tenant), _USAGE), actions, condition, label=LABEL)


def types(tenant: TenantId) -> set[str]:
    """The payload types that the tenant's artifacts have or had."""
    item = TypesItem.find(keys.partition(tenant), _TYPES)
    if item is None:
        return set()
    return set(item.names or ())


def add_types(tx: Transaction, tenant: TenantId, names: set[str]) -> None:
    """Store payload types."""
    if names:
        tx.update(TypesItem(keys.partition(tenant), _TYPES), [TypesItem.names.add(names)], label="types")


def tags(tenant: TenantId) -> TagsItem:
    """The distinct tags as they are now."""
    pk = keys.partition(tenant)
    return TagsItem.find(pk, _TAGS) or TagsItem(pk, _TAGS)


def save_tags(tx: Transaction, item: TagsItem, counts: dict[str, int]) -> None:
    """Replace the counts that ``item`` was read with; fails with :data:`TAGS_LABEL` if they changed meanwhile."""
    read = item.version
    new = TagsItem(item.pk, item.sk, counts=counts, version=read + 1)
    condition = TagsItem.version == read if read else TagsItem.pk.does_not_exist()
    tx.put(new, condition, label=TAGS_LABEL)


def erase(tenant: TenantId) -> int:
    """Erase the totals of a removed tenant; returns the number of items."""
    return erasing.partition(UsageItem, keys.partition(tenant))

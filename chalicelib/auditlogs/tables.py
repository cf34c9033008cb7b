"""The tables ``auditlogs`` and ``auditchains``. The forms of its keys are stored data: changing one needs a migration.

| table | pk | sk | item |
|---|---|---|---|
| auditlogs | ``T#t#<shard>`` | ``<time>#<number>`` | an entry; never changed, deleted when it expires |
| auditchains | ``T#t`` or ``T#t#L#<group>`` | ``<shard>`` | the head of a chain |

Index ``list`` of auditlogs: ``T#t`` or ``T#t#L#<group>``, ``<time>#<shard>#<number>``, which is the order that lists
are shown in. Groups are those of the divided chains of large tenants (``rules.chains``).
IAM policies deny changing or deleting anything in ``auditlogs``, so the heads are in a table of their own.
"""

from __future__ import annotations

from heapq import merge
from itertools import chain
from typing import TYPE_CHECKING, Any

from pynamodb.attributes import BinaryAttribute, UnicodeAttribute

from chalicelib.auditlogs.rules import chains, entries
from chalicelib.auditlogs.rules.chains import Head, Row
from chalicelib.fleet import control
from chalicelib.storage import keys
from chalicelib.storage.base import IntegerAttribute, Item, TableName
from chalicelib.storage.indexes import ListIndex
from chalicelib.storage.parallel import in_parallel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.auditlogs.rules.entries import Entry
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction


class EntryItem(Item):
    """An entry, with its content in the hashed form."""

    class Meta:
        """The table."""

        table_name = TableName("auditlogs")

    content = BinaryAttribute(legacy_encoding=False)
    hash = UnicodeAttribute()
    expires_at = IntegerAttribute()
    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()
    by_time = ListIndex["EntryItem"]()


class HeadItem(Item):
    """The head of a chain."""

    class Meta:
        """The table."""

        table_name = TableName("auditchains")

    number = IntegerAttribute()
    hash = UnicodeAttribute()
    time = IntegerAttribute()
    expires = IntegerAttribute()
    first_expires = IntegerAttribute()
    expires_at = IntegerAttribute(null=True)
    """Set only for removed tenants."""


def _head(item: HeadItem) -> Head:
    return Head(item.number, item.hash, item.time, item.expires, item.first_expires)


def head(tenant: TenantId, shard: int) -> Head:
    """The head of a chain; of a new chain, the one before its first entry."""
    item = HeadItem.find(_group(tenant, chains.group(shard)), keys.sort(str(shard)))
    return _head(item) if item is not None else Head()


def heads(tenant: TenantId) -> dict[int, Head]:
    """The heads of the tenant's chains, by shard."""
    found = in_parallel(lambda key: list(HeadItem.query(key, consistent_read=True)), _groups(tenant))
    return {int(keys.last_part(item.sk)): _head(item) for item in chain.from_iterable(found)}


def _group(tenant: TenantId, group: int | None) -> str:
    """The partition of the heads of a group of chains, or of the undivided ones, and of their list."""
    return keys.partition(tenant) if group is None else keys.partition(tenant, "L", f"{group:x}")


def _groups(tenant: TenantId) -> list[str]:
    divided = range(chains.GROUPS) if control.get(tenant).parts > 1 else ()
    return [_group(tenant, group) for group in (None, *divided)]


def move_head(tx: Transaction, tenant: TenantId, shard: int, before: Head, after: Head) -> None:
    """Replace the head ``before`` by ``after``; fails if it has changed."""
    item = HeadItem(
        _group(tenant, chains.group(shard)),
        keys.sort(str(shard)),
        number=after.number,
        hash=after.hash,
        time=after.time,
        expires=after.expires,
        first_expires=after.first_expires,
    )
    tx.put(item, HeadItem.hash == before.hash if before.number else HeadItem.pk.does_not_exist(), label="audit head")


def add(tx: Transaction, entry: Entry, content: bytes, entry_hash: str) -> None:
    """Add an entry."""
    tx.put(_item(entry, content, entry_hash), EntryItem.pk.does_not_exist(), label="audit entry")


def _item(entry: Entry, content: bytes, entry_hash: str) -> EntryItem:
    tenant = keys.TenantId(entry.tenant)
    time, number = keys.number(entry.time), keys.number(entry.number)
    return EntryItem(
        keys.partition(tenant, str(entry.shard)),
        keys.sort(time, number),
        content=content,
        hash=entry_hash,
        expires_at=entry.expires,
        list_pk=_group(tenant, chains.group(entry.shard)),
        list_sk=keys.sort(time, str(entry.shard), number),
    )


def by_time(
    tenant: TenantId, after: int | None, before: int | None, *, newest_first: bool, limit: int | None = None
) -> Iterator[Entry]:
    """Entries between two milliseconds (inclusive), in order; a megabyte a round trip, or ``limit`` entries.

    In a large tenant, all groups are read at the same time, as much of each.
    """

    def read(key: str) -> Iterator[EntryItem]:
        times = _between(EntryItem.list_sk, after, before)
        return EntryItem.by_time.query(key, times, scan_index_forward=not newest_first, limit=limit)

    groups = _groups(tenant)
    if len(groups) == 1 or limit is None:
        found = map(read, groups)
    else:
        found = map(iter, in_parallel(lambda key: list(read(key)), groups))
    rows = merge(*found, key=lambda item: item.list_sk, reverse=newest_first)
    return (entries.decoded(item.content) for item in rows)


def number_at(tenant: TenantId, shard: int, after: int | None, before: int | None, *, last: bool) -> int | None:
    """The number of a chain's first or last entry between two milliseconds (inclusive); None without one."""
    found = EntryItem.query(
        keys.partition(tenant, str(shard)),
        _between(EntryItem.sk, after, before),
        scan_index_forward=not last,
        limit=1,
    )
    return next((entries.decoded(item.content).number for item in found), None)


def _between(key: Any, after: int | None, before: int | None) -> Any:
    if after is None and before is None:
        return None
    # "~" comes after every character of a key.
    return key.between(keys.number(max(0, after or 0)), keys.number(_LATEST if before is None else before) + "~")


_LATEST = 10**14
"""In milliseconds: the year 5138."""


def of_chain(tenant: TenantId, shard: int) -> Iterator[Row]:
    """The stored entries of a chain, by key."""
    for item in EntryItem.query(keys.partition(tenant, str(shard)), consistent_read=True):
        entry = chains.bare(item.content)
        # All attributes but the content are computed from it.
        placed = entry is not None and _item(entry, item.content, item.hash).serialize() == item.serialize()
        yield Row(f"chain {shard}: {item.sk}", item.content, item.hash, placed)


def expire_heads(tenant: TenantId) -> None:
    """Let the heads of the tenant's chains expire with the last entries that they lead to."""
    found = (HeadItem.query(key, consistent_read=True) for key in _groups(tenant))
    for item in chain.from_iterable(found):
        if getattr(item, "expires_at", None) is None:
            item.update([HeadItem.expires_at.set(item.expires)], HeadItem.hash == item.hash)

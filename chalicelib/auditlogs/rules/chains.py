"""Hash chains of audit entries: how the next entry is linked, and whether the stored entries are unaltered.

A chain's head holds the number of entries ever added and the hash of the last one. It is stored apart from the entries,
and each entry contains the hash of the previous one: to alter, delete or reorder an entry, all later entries and the
head would have to be rewritten. Entries expire from the beginning, so the first ones may be missing. Each entry says
when the previous one expires, and only after that may it be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib.auditlogs.rules import entries

if TYPE_CHECKING:
    from chalicelib.auditlogs.rules.entries import Entry

UNDIVIDED: Final = range(64)
"""Chains of a tenant: of 16 simultaneous changes, most find a chain of their own. Stored data."""
DIVIDED: Final = range(64, 128)
"""Chains that a large tenant (``fleet.parts``) continues instead. Stored data.

Their heads and lists are divided into groups, because rules may accept hundreds of devices in a second.
"""
GROUPS: Final = 16
"""Groups of divided chains. Stored data: it must not change."""


def group(shard: int) -> int | None:
    """The group of a divided chain, from 0; None for the others."""
    return shard % GROUPS if shard in DIVIDED else None


class Head(msgspec.Struct, frozen=True):
    """The end of a chain: number, hash, time (ms) and expiry (s) of its last entry, and the expiry of its first."""

    number: int = 0
    hash: str = ""
    time: int = 0
    expires: int = 0
    first_expires: int = 0

    def after(self, entry: Entry, entry_hash: str) -> Head:
        """The head after ``entry`` is added."""
        return Head(entry.number, entry_hash, entry.time, entry.expires, self.first_expires or entry.expires)


class Row(msgspec.Struct, frozen=True):
    """A stored entry. ``placed``: its key, index and expiry agree with its content."""

    name: str
    """Its key in the table, for messages."""
    content: bytes
    hash: str
    placed: bool


def check(
    tenant: str, shard: int, rows: Iterable[Row], head: Head, now: int, *, latest: Callable[[], Head]
) -> Iterator[str]:
    """The faults of a chain, one line each; none if it is intact.

    Args:
        tenant: the chain's tenant.
        shard: which of the tenant's chains.
        rows: the stored entries, by key.
        head: the head before the rows were read.
        now: in seconds, when the rows were read.
        latest: reads the head again, for rows that were added while others were read.
    """
    last: Entry | None = None
    last_hash = ""
    for row in rows:
        entry = bare(row.content)
        if not row.placed or not _whole(row, entry, tenant, shard):
            yield f"{row.name} was altered"
        if entry is None:
            continue
        if last and entry.number <= last.number:
            yield f"{row.name} is out of order: number {entry.number} after {last.number}"
            continue
        if problem := _break(row, entry, last.number if last else 0, last_hash, now):
            yield problem
        last, last_hash = entry, row.hash
        if entry.number == head.number and row.hash != head.hash:
            yield f"{row.name} is not the entry that the chain's head names: it was altered"
    reached = last.number if last else 0
    if reached < head.number and head.expires > now:
        yield _missing(shard, reached + 1, head.number)
    if reached > head.number and reached > (end := latest().number):
        yield f"chain {shard}: what comes after number {end} was not added by the server"


def _whole(row: Row, entry: Entry | None, tenant: str, shard: int) -> bool:
    if entry is None or (entry.tenant, entry.shard) != (tenant, shard):
        return False
    return entries.hash_of(row.content) == row.hash


def _break(row: Row, entry: Entry, before: int, before_hash: str, now: int) -> str | None:
    """The fault between an entry and number ``before``, the previous one."""
    if entry.number > before + 1:
        return _missing(entry.shard, before + 1, entry.number - 1) if entry.before_expires > now else None
    if entry.before != before_hash:
        return f"{row.name} does not follow number {before}: one of the two was altered"
    return None


def _missing(shard: int, first: int, last: int) -> str:
    which = f"number {first}" if first == last else f"numbers {first} to {last}"
    return f"chain {shard}: {which} missing"


def bare(content: bytes) -> Entry | None:
    """The entry in stored content; None if it is not one."""
    try:
        return entries.decoded(content)
    except msgspec.MsgspecError:
        return None

"""Chains of entries: how the next one is linked, and whether what is stored is what was written.

A chain's head says how many entries were ever added, and the hash of the last. It is kept apart from the entries, and
each entry holds the hash of the one before: who alters, removes or reorders one would have to rewrite all that
follow, and the head. Entries expire from the beginning on, so the first ones may be gone; each entry says when the
one before it expires, and only then may that one be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from chalicelib.auditlogs.rules import entries

if TYPE_CHECKING:
    from chalicelib.auditlogs.rules.entries import Entry


class Head(msgspec.Struct, frozen=True):
    """Where a chain ends: number, hash, time (ms) and expiry (s) of its last entry, and the expiry of its first."""

    number: int = 0
    hash: str = ""
    time: int = 0
    expires: int = 0
    first_expires: int = 0

    def after(self, entry: Entry, entry_hash: str) -> Head:
        """The head when ``entry`` was added."""
        return Head(entry.number, entry_hash, entry.time, entry.expires, self.first_expires or entry.expires)


class Row(msgspec.Struct, frozen=True):
    """An entry as the table has it. ``placed``: its key, index and expiry are the ones that its content asks for."""

    name: str
    """How to find it in the table."""
    content: bytes
    hash: str
    placed: bool


def check(
    tenant: str, shard: int, rows: Iterable[Row], head: Head, now: int, *, latest: Callable[[], Head]
) -> Iterator[str]:
    """What is wrong with a chain, a line each; nothing if it is whole.

    Args:
        tenant: whose chain.
        shard: which of the tenant's chains.
        rows: what is stored, by key.
        head: as it was before the rows were read.
        now: in seconds, when the rows were read.
        latest: the head as it is when this is called: for rows that came while others were read.
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
    """What is wrong between an entry and number ``before``, the one in front of it."""
    if entry.number > before + 1:
        return _missing(entry.shard, before + 1, entry.number - 1) if entry.before_expires > now else None
    if entry.before != before_hash:
        return f"{row.name} does not follow number {before}: one of the two was altered"
    return None


def _missing(shard: int, first: int, last: int) -> str:
    which = f"number {first}" if first == last else f"numbers {first} to {last}"
    return f"chain {shard}: {which} missing"


def bare(content: bytes) -> Entry | None:
    """The entry that stored content says it is; None if it is none."""
    try:
        return entries.decoded(content)
    except msgspec.MsgspecError:
        return None

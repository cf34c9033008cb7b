"""Reads the log: a page, or an exported file.

| filter | what is read |
|---|---|
| none, or times | the rows up to the page, from the index; totals from the chains' ends and a row at each edge |
| anything else | every entry of the given time, a megabyte per round trip |
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from chalicelib import clock, limits
from chalicelib.auditlogs import tables, views
from chalicelib.auditlogs.rules import flat
from chalicelib.auditlogs.service import recording
from chalicelib.auditlogs.shapes import AuditLog, ChainEnd, Health
from chalicelib.storage.parallel import in_parallel

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from chalicelib.auditlogs.rules.chains import Head
    from chalicelib.auditlogs.rules.entries import Entry, Wanted
    from chalicelib.storage.keys import TenantId


def listed(
    tenant: TenantId, wanted: Wanted, start: int, stop: int, *, newest_first: bool
) -> tuple[list[AuditLog], int]:
    """Rows ``start`` to ``stop`` of the matching entries, and the number of all matches."""
    if wanted.nothing:
        return [], 0
    if wanted.only_by_time:
        found = tables.by_time(tenant, *wanted.times, newest_first=newest_first, limit=stop)
        return [views.entry(entry) for entry in islice(found, start, stop)], _count(tenant, *wanted.times)
    rows: list[AuditLog] = []
    total = 0
    for entry in _matching(tenant, wanted, newest_first=newest_first):
        if start <= total < stop:
            rows.append(views.entry(entry))
        total += 1
    return rows, total


def exported(
    tenant: TenantId,
    wanted: Wanted,
    most: int | None,
    *,
    newest_first: bool,
    separator: str,
    ignored: Collection[str],
) -> tuple[str, bool]:
    """The matching entries, or the first ``most``, as a CSV file, and whether all fit into one answer."""
    found = islice(_matching(tenant, wanted, newest_first=newest_first), most)
    rows = (msgspec.to_builtins(views.entry(entry)) for entry in found)
    return flat.export(rows, separator, ignored, limits.AUDIT_EXPORT)


def health(tenant: TenantId) -> Health:
    """The chain heads and, if the log is short enough for one call, the faults of the chains."""
    heads = recording.ends(tenant)
    entries = _count(tenant, None, None)
    is_checked = entries <= limits.AUDIT_CHECKED
    findings = islice(recording.verify(tenant), limits.AUDIT_FINDINGS) if is_checked else ()
    ends = [ChainEnd(chain, number, end) for chain, (number, end) in heads.items()]
    return Health(entries, is_checked, list(findings), ends)


def _matching(tenant: TenantId, wanted: Wanted, *, newest_first: bool) -> Iterator[Entry]:
    if wanted.nothing:
        return iter(())
    return filter(wanted.takes, tables.by_time(tenant, *wanted.times, newest_first=newest_first))


def _count(tenant: TenantId, after: int | None, before: int | None) -> int:
    """The number of entries between two milliseconds, computed from the numbers in the chains, which have no gaps."""
    now = int(clock.now().timestamp())
    heads = tables.heads(tenant)
    return sum(in_parallel(lambda shard: _in_chain(tenant, shard, heads[shard], after, before, now), heads))


def _in_chain(tenant: TenantId, shard: int, head: Head, after: int | None, before: int | None, now: int) -> int:
    first: int | None = 1
    if after is not None or head.first_expires <= now:
        first = tables.number_at(tenant, shard, after, before, last=False)
    last: int | None = head.number
    if first is not None and before is not None and before < head.time:
        last = tables.number_at(tenant, shard, after, before, last=True)
    return 0 if first is None or last is None else last - first + 1

"""Records audit entries in the transaction of the change.

A tenant has several chains (``rules.chains``), so that simultaneous changes seldom meet; an entry may go to any of
them. If another entry was added to the chain first, this one goes to another chain, and the change itself is not
affected.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from chalicelib import actor, clock, limits, settings
from chalicelib.actor import Actor
from chalicelib.auditlogs import tables
from chalicelib.auditlogs.rules import chains, entries
from chalicelib.auditlogs.rules.entries import Entry
from chalicelib.auditlogs.shapes import Action, Object
from chalicelib.fleet import control
from chalicelib.observability import Metric, count
from chalicelib.storage.keys import TenantId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from chalicelib.storage.transactions import Transaction

_DAY = 86_400


def record(
    tx: Transaction,
    tenant: TenantId,
    action: Action,
    what: Object,
    *,
    change: str | None = None,
    meta: Mapping[str, list[str]] | None = None,
) -> None:
    """Add the entry of a change to its transaction. The actor is ``actor.current()``.

    It costs a read and two writes, and another write for each further entry of the same transaction.

    Args:
        tx: the change; there is an entry if and only if it is committed.
        tenant: the log's tenant.
        action: what is done.
        what: the object of the action.
        change: the values before and after, as text for people.
        meta: further details, each a list of strings.
    """
    for waiting in tx.latecomers:
        if isinstance(waiting, _Entries) and waiting.tenant == tenant:
            break
    else:
        waiting = _Entries(tenant)
        tx.late(waiting)
    text = change or ""
    if len(text) > limits.AUDIT_CHANGE:
        text = text[: limits.AUDIT_CHANGE] + "..."
    waiting.drafts.append(_Draft(actor.current(), action, what, text, dict(meta or {})))
    tx.then(partial(count, Metric.AUDIT_ENTRIES))


class _Draft(msgspec.Struct, frozen=True):
    """An entry without a position in a chain yet."""

    actor: Actor
    action: Action
    what: Object
    change: str
    meta: dict[str, list[str]]


class _Entries(msgspec.Struct):
    """The entries of one transaction. Each attempt to commit adds them to the end of some chain."""

    tenant: TenantId
    drafts: list[_Draft] = []

    def __call__(self, tx: Transaction) -> None:
        """Add the entries and the update of the chain's head."""
        is_large = control.get(self.tenant).parts_to_write > 1
        shard = random.choice(chains.DIVIDED if is_large else chains.UNDIVIDED)  # noqa: S311  # spreads writers; no secret
        before = head = tables.head(self.tenant, shard)
        # A slow clock must not set a chain back, because it is in the order of its times.
        time = max(int(clock.now().timestamp() * 1000), head.time)
        expires = max(time // 1000 + _days_kept(self.tenant) * _DAY, head.expires)
        for draft in self.drafts:
            entry = Entry(
                tenant=self.tenant,
                shard=shard,
                number=head.number + 1,
                time=time,
                expires=expires,
                before=head.hash,
                before_expires=head.expires,
                action=draft.action,
                actor_type=draft.actor.kind,
                actor_id=draft.actor.id,
                actor_email=draft.actor.email,
                source_ip=draft.actor.source_ip,
                object_type=draft.what.type,
                object_id=draft.what.id,
                about=draft.what.about,
                change=draft.change,
                meta=draft.meta,
            )
            content = entries.encoded(entry)
            entry_hash = entries.hash_of(content)
            tables.add(tx, entry, content, entry_hash)
            head = head.after(entry, entry_hash)
        tables.move_head(tx, self.tenant, shard, before, head)


def _days_kept(tenant: TenantId) -> int:
    return control.get(tenant).settings.audit_days or settings.current().audit_days


def verify(tenant: TenantId) -> Iterator[str]:
    """The faults of the tenant's log, one line each; none if no entry was altered, deleted or reordered."""
    heads = tables.heads(tenant)
    numbers = {*chains.UNDIVIDED, *heads}
    if control.get(tenant).parts > 1:
        numbers.update(chains.DIVIDED)
    for shard in sorted(numbers):
        head = heads.get(shard, chains.Head())
        now = int(clock.now().timestamp())
        latest = partial(tables.head, tenant, shard)
        yield from chains.check(tenant, shard, tables.of_chain(tenant, shard), head, now, latest=latest)


def ends(tenant: TenantId) -> dict[int, tuple[int, str]]:
    """The number and hash of the last entry of each of the tenant's chains.

    Kept elsewhere, they prove later that not even the owner of the server has rewritten the log.
    """
    return {shard: (head.number, head.hash) for shard, head in sorted(tables.heads(tenant).items())}


def erase(tenant: TenantId) -> int:
    """Let the log of a removed tenant end with its retention; returns 0, because nothing is erased.

    No part of the app may delete an entry, so it remains known who removed a tenant until its last entry expires.
    """
    tables.expire_heads(tenant)
    return 0

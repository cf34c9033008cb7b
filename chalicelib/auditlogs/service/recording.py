"""Audit entries: each change writes its own in the transaction that makes it.

A tenant has several chains of entries (``rules.chains``), so that changes at the same moment seldom meet; an entry
goes to any of them. Who loses the race for a chain's end all the same tries another: the change itself notices
nothing.
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

_SHARDS = 64
"""Chains of a tenant: of 16 changes at once, most find one for themselves. More are fine at any time, fewer never."""
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
    """Add the entry of a change to its transaction. Who acts is ``actor.current()``.

    It costs a read and two writes, and one more write for each further entry of the same transaction.

    Args:
        tx: the change; its failure leaves no entry, its success always one.
        tenant: whose log.
        action: what is done.
        what: what it is done to.
        change: for people: what was before and what is now.
        meta: further facts, each a list of texts.
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
    """An entry that has no place in a chain yet."""

    actor: Actor
    action: Action
    what: Object
    change: str
    meta: dict[str, list[str]]


class _Entries(msgspec.Struct):
    """The entries of one transaction: at each attempt to commit they go to the end of some chain."""

    tenant: TenantId
    drafts: list[_Draft] = []

    def __call__(self, tx: Transaction) -> None:
        """Add the entries, and the move of the chain's head."""
        shard = random.randrange(_SHARDS)  # noqa: S311  # spreads writers; no secret
        before = head = tables.head(self.tenant, shard)
        # No clock may set a chain back: its order is that of its times.
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
    """What is wrong with the tenant's log, a line each; nothing if no entry was altered, removed or reordered."""
    heads = tables.heads(tenant)
    for shard in sorted({*range(_SHARDS), *heads}):
        head = heads.get(shard, chains.Head())
        now = int(clock.now().timestamp())
        latest = partial(tables.head, tenant, shard)
        yield from chains.check(tenant, shard, tables.chain(tenant, shard), head, now, latest=latest)


def ends(tenant: TenantId) -> dict[int, tuple[int, str]]:
    """Number and hash of the last entry of each of the tenant's chains.

    Whoever keeps them elsewhere can tell later that not even the server's owner wrote the log anew.
    """
    return {shard: (head.number, head.hash) for shard, head in sorted(tables.heads(tenant).items())}


def erase(tenant: TenantId) -> int:
    """Let the log of a tenant that is removed end with its retention; 0: nothing is erased.

    No part of the app may delete an entry. Who removed a tenant can be shown until its last entry expires.
    """
    tables.expire_heads(tenant)
    return 0

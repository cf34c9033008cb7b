"""Audit entries: each change writes its own in the transaction that makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.auditlogs.shapes import Action, Object, ObjectType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

__all__ = ["Action", "Object", "ObjectType", "record"]


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

    Args:
        tx: the change; its failure leaves no entry, its success always one.
        tenant: whose log.
        action: what is done.
        what: what it is done to.
        change: for people: what was before and what is now.
        meta: further facts, each a list of texts.
    """

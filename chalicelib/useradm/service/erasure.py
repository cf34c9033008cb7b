"""Erasure of a tenant's users, and of assignments of its service provider's users to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import clock
from chalicelib.errors import Unavailable
from chalicelib.storage.transactions import RACES, Transaction
from chalicelib.useradm.tables import erasure, users

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.useradm.tables.users import User


def erase(tenant: TenantId, provider: TenantId | None) -> int:
    """Erase everything of a removed tenant, which belonged to ``provider``; returns the number of items."""
    withdrawn = 0
    for user in users.of_tenant(provider) if provider is not None else ():
        if tenant in user.assigned:
            _withdraw(user, tenant)
            withdrawn += 1
    return withdrawn + erasure.erase(tenant)


def _withdraw(user: User, tenant: TenantId) -> None:
    now: User | None = user
    for _ in range(RACES):
        if now is None:
            return
        tx = Transaction()
        users.set_assigned(
            tx, now, clock.now(), {each: roles for each, roles in now.assigned.items() if each != tenant}
        )
        if tx.try_commit():
            return
        now = users.find(user.tenant, user.id)
    raise Unavailable

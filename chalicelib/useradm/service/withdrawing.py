"""Ends the work of a service provider's users in a tenant that is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import clock
from chalicelib.errors import Unavailable
from chalicelib.storage.transactions import RACES, Transaction
from chalicelib.useradm.tables import users

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.useradm.tables.users import User


def withdraw(provider: TenantId, tenant: TenantId) -> int:
    """End the assignments of a service provider's users to a removed tenant; returns their number."""
    assigned = [user for user in users.of_tenant(provider) if tenant in user.assigned]
    for user in assigned:
        _withdraw(user, tenant)
    return len(assigned)


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

"""Ends the work of a service provider's users in a tenant that is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import clock
from chalicelib.storage.transactions import Transaction, retried
from chalicelib.useradm.tables import users

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def withdraw(provider: TenantId, tenant: TenantId) -> int:
    """End the assignments of a service provider's users to a removed tenant; returns their number."""
    assigned = [user for user in users.of_tenant(provider) if tenant in user.assigned]
    for user in assigned:
        _withdraw(user.tenant, user.id, tenant)
    return len(assigned)


@retried
def _withdraw(provider: TenantId, user_id: str, tenant: TenantId) -> None:
    user = users.find(provider, user_id)
    if user is None:
        return
    assigned = {each: roles for each, roles in user.assigned.items() if each != tenant}
    tx = Transaction()
    users.set_assigned(tx, user, clock.now(), assigned)
    tx.commit()

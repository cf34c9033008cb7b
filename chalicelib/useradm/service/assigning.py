"""Assigns users of a service provider to its tenants, with roles there.

Such a user remains in their own tenant: password, tokens and account are managed only there. The roles in other tenants
are stored with the user, so each call reads both in its usual round trip.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from chalicelib import clock, limits
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action
from chalicelib.errors import BadRequest, NotFound
from chalicelib.storage.transactions import Transaction, retried
from chalicelib.useradm import rules
from chalicelib.useradm.service import access
from chalicelib.useradm.service.users import about, get_user
from chalicelib.useradm.tables import users

if TYPE_CHECKING:
    from chalicelib.rights import Rights
    from chalicelib.storage.keys import TenantId
    from chalicelib.useradm.tables.users import User


@retried
def assign(provider: TenantId, who: str, tenants: Collection[TenantId], role: str, *, by: Rights, own: str) -> None:
    """Assign a user of a service provider to these of its tenants, with a role; without any, end all assignments.

    That they are its tenants has been checked (``tenantadm``).

    Args:
        provider: the service provider.
        who: the user's id or address.
        tenants: their ids; for existing assignments the role is replaced.
        role: the role; empty: read-only.
        by: the caller's rights in the provider. Those limited to groups or tags do not count in other tenants.
        own: the caller's id.

    Raises:
        BadRequest: there are too many tenants.
        Forbidden: a tenant's plan does not include roles, or ``by`` does not cover the role or the user.
        NotFound: there is no such user.
        Unprocessable: a tenant has no such role.
    """
    given: dict[str, list[str]] = {
        each: list(access.roles_to_have(each, (role or rules.LEAST_ROLE,), by.unconfined)) for each in tenants
    }
    user = _found(provider, who)
    if user.id != own:
        access.require_cover(user, by)
    assigned: dict[str, list[str]] = {**user.assigned, **given} if given else {}
    if len(assigned) > limits.ASSIGNED_TENANTS:
        raise BadRequest(f"tenant_ids: a user can be assigned to at most {limits.ASSIGNED_TENANTS} tenants")
    tx = Transaction()
    users.set_assigned(tx, user, clock.now(), assigned)
    change = f"{user.email} works in: {', '.join(assigned) or 'no other tenant'}"
    auditlogs.record(tx, provider, Action.UPDATE, about(user), change=change)
    tx.commit()


def _found(provider: TenantId, who: str) -> User:
    if "@" not in who:
        return get_user(provider, who)
    try:
        found = users.find_email(rules.email(who))
    except BadRequest as error:
        raise NotFound("user not found") from error
    if found is None or found[0] != provider:
        raise NotFound("user not found")
    return get_user(*found)

"""Users of a service provider who work in its tenants, too: by a token for the tenant, with roles there.

Such a user stays one of the own tenant: password, tokens and account are changed there only, and end with it. The
rights in the other tenant stand with the user, so each call finds both in the one round trip that it makes anyway.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from chalicelib import clock, limits
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action
from chalicelib.errors import BadRequest, NotFound, Unavailable
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import RACES, Transaction
from chalicelib.useradm import rules
from chalicelib.useradm.service import access
from chalicelib.useradm.service.users import about, get_user
from chalicelib.useradm.tables import users

if TYPE_CHECKING:
    from chalicelib.rights import Rights
    from chalicelib.useradm.tables.users import User


def assign(provider: TenantId, who: str, tenants: Collection[str], role: str, *, by: Rights, own: str) -> None:
    """Let a user of a service provider work in these of its tenants as well, with a role there; none: in no other.

    Args:
        provider: whose user, and whose tenants.
        who: the user's id or address.
        tenants: ids; where the user is assigned already, the role is another one from now on.
        role: empty: to look only.
        by: the rights of who asks, in the provider: those that end at groups or tags count for nothing elsewhere.
        own: the id of who asks.

    Raises:
        BadRequest: too many tenants.
        Forbidden: a tenant has no roles; or the role, or the user, has rights that ``by`` has not.
        NotFound: there is no such user, or a tenant is none of this provider.
        Unprocessable: a tenant has no such role.
    """
    # Imported here: tenants are made with their first user.
    from chalicelib.tenantadm import service as tenantadm

    wanted = [tenantadm.child(provider, TenantId(each)).id for each in dict.fromkeys(tenants)]
    given: dict[str, list[str]] = {
        each: list(access.roles_to_have(each, (role or rules.LEAST_ROLE,), by.unconfined)) for each in wanted
    }
    for _ in range(RACES):
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
        if tx.try_commit():
            return
    raise Unavailable


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

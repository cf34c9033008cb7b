"""Access: whether a token is valid, what its user may do, and who may give which roles."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from chalicelib import clock, limits
from chalicelib.errors import Conflict, Forbidden, Unauthorized
from chalicelib.features import Feature
from chalicelib.fleet import control
from chalicelib.rights import EVERYTHING, Permission, Rights
from chalicelib.roles import service as roles
from chalicelib.storage.keys import TenantId
from chalicelib.useradm.tables import tokens, users

if TYPE_CHECKING:
    from chalicelib.storage.transactions import Transaction
    from chalicelib.useradm import rules
    from chalicelib.useradm.tables.users import User

_USED_ACCURACY = timedelta(seconds=limits.TOKEN_USED_ACCURACY)
_RECENT = timedelta(seconds=limits.RECENT_SIGN_IN)


class Session(msgspec.Struct, frozen=True):
    """The user of a token: address and rights, as they are now."""

    email: str
    rights: Rights
    is_personal: bool
    """Whether the token is a personal access token, which may have been found by somebody else."""
    is_recent: bool
    """Whether the user has recently signed in, or given the password or a code."""
    used_factor: bool
    """Whether that included a code, or the user has no second factor."""


def require_session(home: TenantId, user_id: str, token_id: str, tenant: TenantId) -> Session:
    """Check that the row of a verified token for ``tenant`` still exists in the user's own tenant ``home``.

    Row and user are read in one round trip, so that revocations and changed roles take effect at the next call. The
    tenant's own roles are cached for up to ``settings.control_cache`` seconds.

    The row of a session is deleted by a logout, that of a personal access token by its revocation, and all rows of a
    user with the user or by a new password. The use of a personal access token is recorded every five minutes.

    Raises:
        Unauthorized: the row was deleted, or the user may no longer work in that tenant.
    """
    access = tokens.access(home, user_id, token_id, tenant)
    if access is None:
        raise Unauthorized("unauthorized")
    now = clock.now()
    if access.name is not None:
        stale = access.used is None or now - access.used >= _USED_ACCURACY
        if stale and not tokens.note_use(home, user_id, token_id, now):
            raise Unauthorized("unauthorized")
    proof = access.proof
    return Session(
        email=access.email,
        rights=_rights(tenant, access.roles),
        is_personal=access.name is not None,
        is_recent=proof is not None and now - proof.at < _RECENT,
        used_factor=not access.needs_code or (proof is not None and proof.by_code),
    )


def rights_of(user: User) -> Rights:
    """The rights of a user."""
    return _rights(user.tenant, user.roles)


def _rights(tenant: TenantId, names: Collection[str]) -> Rights:
    """The rights of these roles, also if the plan no longer includes roles: a smaller plan gives no rights."""
    if roles.PERMIT_ALL in names:
        return EVERYTHING
    return roles.rights(tenant, names)


def roles_to_have(tenant: TenantId, names: Collection[str], by: Rights) -> tuple[str, ...]:
    """The roles for a user; without any, that of administrators.

    Raises:
        Forbidden: they give more rights than ``by``, or the tenant's plan does not include roles.
        Unprocessable: there is no such role.
    """
    wanted = roles.check_names(tenant, names) if names else (roles.PERMIT_ALL,)
    if roles.PERMIT_ALL not in wanted and not control.get(tenant).includes(Feature.RBAC):
        raise Forbidden("the plan of this tenant does not include roles")
    if not by.covers(_rights(tenant, wanted)):
        raise Forbidden("the roles have permissions that you do not have")
    return tuple(wanted)


def changed_roles(user: User, change: rules.Change, by: Rights) -> tuple[str, ...] | None:
    """The new roles in a change of a user; None if they stay.

    Raises:
        Forbidden: ``by`` may not change roles, or as :func:`roles_to_have`.
        Unprocessable: there is no such role.
    """
    if change.roles is None or set(change.roles) == set(user.roles):
        return None
    if not by.scopes(Permission.USERS_MANAGE):
        raise Forbidden
    return roles_to_have(user.tenant, change.roles, by)


def require_cover(user: User, by: Rights) -> None:
    """Check that the caller's rights cover those of the user, here and in the other tenants that they work in.

    Raises:
        Forbidden: the user has rights that ``by`` does not cover.
    """
    elsewhere = [_rights(TenantId(each), names) for each, names in user.assigned.items()]
    if elsewhere and not by.scopes(Permission.TENANTS_MANAGE):
        raise Forbidden(
            "the user also works in other tenants; only a user who may manage tenants can change their account"
        )
    if not by.covers(rights_of(user)) or not all(by.unconfined.covers(each) for each in elsewhere):
        raise Forbidden("the user has permissions that you do not have")


def swap_roles(tx: Transaction, user: User, after: Collection[str]) -> None:
    """Count the roles that a user gains and loses by a change (``after``) or deletion (None), in that transaction.

    It fails with label ``roles.GONE`` if a role was deleted meanwhile. If the user ceases to be an administrator, the
    transaction is conditional on another user who remains one.

    Raises:
        Conflict: there is no other administrator.
    """
    roles.note_use(tx, user.tenant, user.roles, after)
    if roles.PERMIT_ALL not in user.roles or roles.PERMIT_ALL in after:
        return
    others = (each for each in users.of_tenant(user.tenant) if each.id != user.id)
    other = next((each for each in others if roles.PERMIT_ALL in each.roles), None)
    if other is None:
        raise Conflict("this is the tenant's last administrator; make another user an administrator first")
    users.hold_admin(tx, other)

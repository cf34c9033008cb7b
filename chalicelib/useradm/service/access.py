"""What every call of a user asks: is this token still good, and what may its user do? And who may give which roles."""

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
    """Who calls by a token: the address and the rights of its user, as they are now."""

    email: str
    rights: Rights
    is_personal: bool
    """Whether the token is a personal access token: whoever found it may not be its user."""
    is_recent: bool
    """Whether the user signed in, or showed password or code, a short while ago."""
    used_factor: bool
    """Whether that was with a code, or the user has no second factor."""


def require_session(home: TenantId, user_id: str, token_id: str, tenant: TenantId) -> Session:
    """Let a verified token for ``tenant`` pass only while its row is there, in the user's own tenant ``home``.

    One round trip for the row and the user, so a revocation and other roles hold at the next call. What the
    tenant's own roles give is at most ``settings.control_cache`` seconds old.

    The row of a session is gone after a logout, that of a personal access token after its revocation, and all
    of a user's after a deletion or a new password. The use of a personal access token is noted every five minutes.

    Raises:
        Unauthorized: the row is gone, or the user may not work in that tenant any more.
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
    """What a user may do."""
    return _rights(user.tenant, user.roles)


def _rights(tenant: TenantId, names: Collection[str]) -> Rights:
    """What users with these roles may do, also where the plan has no roles any more: a smaller plan gives no rights."""
    if roles.PERMIT_ALL in names:
        return EVERYTHING
    return roles.rights(tenant, names)


def roles_to_have(tenant: TenantId, names: Collection[str], by: Rights) -> tuple[str, ...]:
    """The roles that a user is to have; without any, the one of every right.

    Raises:
        Forbidden: they give more than ``by`` has, or the tenant has no roles.
        Unprocessable: there is no such role.
    """
    wanted = roles.check_names(tenant, names) if names else (roles.PERMIT_ALL,)
    if roles.PERMIT_ALL not in wanted and not control.get(tenant).includes(Feature.RBAC):
        raise Forbidden("the plan of this tenant does not include roles")
    if not by.covers(_rights(tenant, wanted)):
        raise Forbidden("the roles have permissions that you do not have")
    return tuple(wanted)


def changed_roles(user: User, change: rules.Change, by: Rights) -> tuple[str, ...] | None:
    """The roles that a change gives to a user; None if they stay.

    Raises:
        Forbidden: ``by`` may not change roles, or as :func:`roles_to_have`.
        Unprocessable: there is no such role.
    """
    if change.roles is None or set(change.roles) == set(user.roles):
        return None
    if not by.scopes(Permission.USERS_MANAGE):
        raise Forbidden("forbidden")
    return roles_to_have(user.tenant, change.roles, by)


def require_cover(user: User, by: Rights) -> None:
    """Keep users off those who may do more, here or in the other tenants that they work in.

    Raises:
        Forbidden: the user has rights that ``by`` has not.
    """
    elsewhere = [_rights(TenantId(each), names) for each, names in user.assigned.items()]
    if elsewhere and not by.scopes(Permission.TENANTS_MANAGE):
        raise Forbidden(
            "the user also works in other tenants; only a user who may manage tenants can change their account"
        )
    if not by.covers(rights_of(user)) or not all(by.unconfined.covers(each) for each in elsewhere):
        raise Forbidden("the user has permissions that you do not have")


def swap_roles(tx: Transaction, user: User, after: Collection[str]) -> None:
    """Count what it means for roles that a user gets ``after`` instead, or, with none, goes: in that transaction.

    It fails with label ``roles.GONE`` if a role was deleted meanwhile. A change that makes a user no administrator
    holds on to another one who is, and stays.

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

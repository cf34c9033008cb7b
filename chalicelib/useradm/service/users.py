"""Users: create, read, change, delete."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chalicelib import actor, clock
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.errors import BadRequest, NotFound, Unprocessable
from chalicelib.rights import EVERYTHING, Rights
from chalicelib.roles import service as role_service
from chalicelib.storage.transactions import ConditionFailed, Transaction, retried
from chalicelib.useradm import rules, views
from chalicelib.useradm.service import access, failed_attempts, passwords
from chalicelib.useradm.tables import requests, tokens, users
from chalicelib.useradm.tables.users import User

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.useradm import shapes
    from chalicelib.useradm.tables.requests import Request

TAKEN = "user with a given email already exists"


def create_user(
    tenant: TenantId,
    email: str,
    password: str | None,
    *,
    password_hash: str | None = None,
    roles: Collection[str] = (),
    by: Rights,
) -> User:
    """A new user of an existing tenant.

    Args:
        tenant: the user's tenant.
        email: the address, stored in lower case and unique over all tenants.
        password: in plain text; ignored if there is a hash; None: none until the user resets it.
        password_hash: instead of a password, an argon2id or bcrypt hash from another server's export.
        roles: names of roles; without any, the user is an administrator.
        by: the rights of the caller; the admin has all.

    Raises:
        BadRequest: the address is not valid, or the form of the hash is not known.
        Forbidden: the roles give more rights than ``by``, or the tenant's plan does not include roles.
        Unprocessable: the address is taken, the password breaks a rule, or there is no such role.
    """
    wanted = access.roles_to_have(tenant, roles, by)
    user = draft_user(tenant, email, password, password_hash=password_hash, roles=wanted)
    tx = Transaction()
    add_user(tx, user)
    try:
        tx.commit()
    except ConditionFailed as failed:
        if role_service.GONE in failed.failed:
            raise Unprocessable("roles: one of the roles has just been deleted") from failed
        raise Unprocessable(TAKEN) from failed
    return user


def draft_user(
    tenant: TenantId,
    email: str,
    password: str | None,
    *,
    password_hash: str | None = None,
    roles: tuple[str, ...],
) -> User:
    """A user that is not stored yet; arguments and errors are those of :func:`create_user`.

    Raises:
        BadRequest: the address is not valid, or the form of the hash is not known.
        Unprocessable: the password is not valid.
    """
    address = rules.email(email)
    if password_hash is None:
        password_hash = _first_password(password, address)
    elif not passwords.is_known_form(password_hash):
        raise BadRequest("password_hash: must be an argon2id or bcrypt hash")
    now = clock.now()
    return User(str(uuid.uuid4()), tenant, address, password_hash, now, now, None, 0, roles=roles)


def add_user(tx: Transaction, user: User) -> None:
    """Add a new user to a transaction, which fails with label ``email`` if the address is taken."""
    users.put_new(tx, user)
    role_service.note_use(tx, user.tenant, (), user.roles)
    auditlogs.record(tx, user.tenant, Action.CREATE, about(user))


def _first_password(password: str | None, address: str) -> str:
    if password is None:
        return passwords.DUMMY
    rules.check_password(password, address)
    return passwords.hash_password(password)


def find_user(email: str) -> User | None:
    """The user with this address, in any tenant; for the admin only."""
    found = users.find_email(rules.email(email))
    return users.find(*found) if found else None


def get_user(tenant: TenantId, user_id: str) -> User:
    """The user.

    Raises:
        NotFound: the tenant has none with this id.
    """
    user = users.find(tenant, user_id)
    if user is None:
        raise NotFound("user not found")
    return user


def list_users(tenant: TenantId, wanted: rules.UserFilter | None = None) -> list[User]:
    """The tenant's users that match a filter, by id."""
    return [
        user
        for user in users.of_tenant(tenant)
        if wanted is None or wanted.takes(user.id, user.email, user.created, user.updated)
    ]


def count_users(tenant: TenantId) -> int:
    """The number of the tenant's users."""
    return users.count(tenant)


@retried
def update_user(
    tenant: TenantId,
    user_id: str,
    change: rules.Change,
    *,
    current_password: str,
    keep_token: str | None,
    by: Rights,
) -> None:
    """Change address, password or roles.

    A new address or password ends all tokens of the user except ``keep_token``, the caller's. New roles change the
    rights of existing tokens. ``by`` are the caller's rights, which must cover those of another user, before and after.

    Raises:
        Conflict: the user is the last administrator and would cease to be one.
        Forbidden: the present or new rights of a user are not covered by ``by``.
        NotFound: the tenant has no such user.
        TooManyRequests: there were too many wrong ``current_password``.
        Unprocessable: the address is taken, the password is another user's or not valid, ``current_password`` is
            wrong, or there is no such role.
    """
    user = get_user(tenant, user_id)
    if not change.own:
        if change.password is not None:
            raise Unprocessable("password cannot be modified")
        access.require_cover(user, by)
    if change.password is not None:
        rules.check_password(change.password, change.email or user.email)
    if change.needs_password:
        failed_attempts.check_password(user, current_password)
    roles = access.changed_roles(user, change, by)
    commit_change(user, change, keep_token=keep_token, roles=roles)


@retried
def set_password(tenant: TenantId, user_id: str, password: str) -> None:
    """Set a user's password without the old one; for the admin only.

    Raises:
        NotFound: the tenant has no such user.
        Unprocessable: the password is not valid.
    """
    user = get_user(tenant, user_id)
    rules.check_password(password, user.email)
    commit_change(user, rules.Change(None, password, own=False), keep_token=None)


def set_roles(tenant: TenantId, user_id: str, roles: Collection[str]) -> User:
    """Replace a user's roles; without any, the user becomes an administrator. For the admin only.

    Raises:
        Conflict: the user is the last administrator and would cease to be one.
        Forbidden: the tenant's plan does not include roles.
        NotFound: the tenant has no such user.
        Unprocessable: there is no such role.
    """
    change = rules.Change(None, None, own=False, roles=tuple(roles))
    update_user(tenant, user_id, change, current_password="", keep_token=None, by=EVERYTHING)
    return get_user(tenant, user_id)


@contextmanager
def acting_as(user: User) -> Iterator[None]:
    """Act as a user who has been identified but has no token yet."""
    with actor.Acting(actor.Actor("user", user.id, actor.current().source_ip, user.email)):
        yield


def is_invited(user: User) -> bool:
    """Whether a user has not accepted the invitation yet: no password, and no sign-in at an identity provider."""
    return user.password == passwords.DUMMY and not user.sso


def caller(home: TenantId, user_id: str, tenant: TenantId) -> shapes.User:
    """The calling user of ``home``, with the tenants in which the user works; this call is in ``tenant``.

    Raises:
        NotFound: the user was deleted.
    """
    user = get_user(home, user_id)
    found = views.user(user, invited=is_invited(user))
    found.tenant_id = tenant
    if user.tfa.status is rules.TfaStatus.ENABLED:
        found.recovery_codes_left = len(user.tfa.recovery)
    if user.assigned:
        found.tenant_ids = [user.tenant, *user.assigned]
    return found


def about(user: User) -> Object:
    """The user in an audit entry."""
    return Object(ObjectType.USER, user.id, {"email": user.email})


def commit_change(
    user: User,
    change: rules.Change,
    *,
    keep_token: str | None,
    roles: tuple[str, ...] | None = None,
    used: Request | None = None,
) -> None:
    """Write a change of a user.

    ``used``: the request that the change completes. A new address or password ends all tokens of the user except
    ``keep_token``.

    Raises:
        ConditionFailed: the user, a role or the request has changed since it was read.
        Conflict: the user is the last administrator and would cease to be one.
        Unprocessable: the new address is taken.
    """
    hashed = passwords.hash_password(change.password) if change.password is not None else None
    proved = used is not None and used.purpose in {rules.Purpose.EMAIL_CHANGE, rules.Purpose.INVITATION}
    tx = Transaction()
    users.change(tx, user, clock.now(), email=change.email, password=hashed, roles=roles, proved=proved)
    if roles is not None:
        access.swap_roles(tx, user, roles)
    if change.email is not None or change.password is not None:
        present = tokens.of_user(user.tenant, user.id)
        tokens.delete_all(tx, user, [token for token in present if token.id != keep_token])
    if used is not None:
        requests.use(tx, user.tenant, user.id, used)
    if change.password is not None:
        for purpose in {rules.Purpose.PASSWORD_RESET, rules.Purpose.INVITATION} - {used.purpose if used else None}:
            requests.delete(tx, user.tenant, user.id, purpose)
    action = Action.UPDATE if change.password is None else Action.PASSWORD_CHANGE
    auditlogs.record(tx, user.tenant, action, about(user), change=_told(user, change, roles))
    try:
        tx.commit()
    except ConditionFailed as failed:
        # The address may have been taken by a change of this very user: the caller reads again to find out.
        if failed.failed.keys() == {users.EMAIL}:
            raise Unprocessable(TAKEN) from failed
        raise


def _told(user: User, change: rules.Change, roles: tuple[str, ...] | None) -> str | None:
    """The text of a change in an audit entry, without passwords."""
    lines = []
    if change.email:
        lines.append(f"e-mail address {user.email} -> {change.email}")
    if roles is not None:
        lines.append(f"roles {', '.join(user.roles)} -> {', '.join(roles)}")
    return "\n".join([f"Updated user {user.email}:", *lines]) if lines else None


@retried
def delete_user(tenant: TenantId, user_id: str, *, by: Rights) -> None:
    """Delete a user with address, settings and tokens, if the user exists.

    Raises:
        Conflict: the user is the last administrator.
        Forbidden: the user has rights that ``by`` does not cover.
        Unavailable: the user changed too often meanwhile.
    """
    user = users.find(tenant, user_id)
    if user is None:
        return
    access.require_cover(user, by)
    tx = Transaction()
    users.delete(tx, user)
    access.swap_roles(tx, user, ())
    tokens.delete_all(tx, user, tokens.of_user(tenant, user_id))
    auditlogs.record(tx, tenant, Action.DELETE, about(user))
    tx.commit()

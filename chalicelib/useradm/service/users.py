"""Users: create, read, change, delete; and what every call of a user asks: is this token still good?"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from chalicelib import clock, limits
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.errors import BadRequest, NotFound, Unauthorized, Unavailable, Unprocessable
from chalicelib.storage.transactions import ConditionFailed, Transaction
from chalicelib.useradm import passwords, rules
from chalicelib.useradm.tables import requests, tokens, users
from chalicelib.useradm.tables.users import User

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.useradm.tables.requests import Request
    from chalicelib.useradm.tables.tokens import Token

RACES = 8
"""How often a change is decided again when the user changed meanwhile."""
TAKEN = "user with a given email already exists"
_USED_ACCURACY = timedelta(seconds=limits.TOKEN_USED_ACCURACY)


def require_session(tenant: TenantId, user_id: str, token_id: str) -> Token:
    """The row of a verified token, which must be there: one read, so a revocation holds at the next call.

    The row of a session is gone after a logout, that of a personal access token after its revocation, and all
    of a user's after a deletion or a new password. The use of a personal access token is noted every five minutes.

    Raises:
        Unauthorized: the row is gone.
    """
    token = tokens.find(tenant, user_id, token_id)
    if token is None:
        raise Unauthorized("unauthorized")
    if token.name is None:
        return token
    now = clock.now()
    stale = token.used is None or now - token.used >= _USED_ACCURACY
    if stale and not tokens.note_use(tenant, user_id, token_id, now):
        raise Unauthorized("unauthorized")
    return token


def create_user(tenant: TenantId, email: str, password: str | None, *, password_hash: str | None = None) -> User:
    """A new user of an existing tenant.

    Args:
        tenant: whose user.
        email: taken in lower case; one account an address, over all tenants.
        password: in clear; not looked at when there is a hash; None: there is none until the user resets it.
        password_hash: instead of a password, an argon2id or bcrypt hash from another server's export.

    Raises:
        BadRequest: the address is none, or the hash is of no known form.
        Unprocessable: the address is taken, or the password breaks a rule.
    """
    user = draft_user(tenant, email, password, password_hash=password_hash)
    tx = Transaction()
    add_user(tx, user)
    try:
        tx.commit()
    except ConditionFailed as failed:
        raise Unprocessable(TAKEN) from failed
    return user


def draft_user(tenant: TenantId, email: str, password: str | None, *, password_hash: str | None = None) -> User:
    """A user that is not stored yet; arguments and refusals are those of :func:`create_user`.

    Raises:
        BadRequest: the address is none, or the hash is of no known form.
        Unprocessable: the password breaks a rule.
    """
    address = rules.email(email)
    if password_hash is None:
        password_hash = _first_password(password, address)
    elif not passwords.is_known_form(password_hash):
        raise BadRequest("password_hash: must be an argon2id or bcrypt hash")
    now = clock.now()
    return User(str(uuid.uuid4()), tenant, address, password_hash, now, now, None, 0)


def add_user(tx: Transaction, user: User) -> None:
    """Add a new user to a transaction, which fails with label ``email`` if the address is taken."""
    users.put_new(tx, user)


def _first_password(password: str | None, address: str) -> str:
    if password is None:
        return passwords.DUMMY
    rules.check_password(password, address)
    return passwords.hash_password(password)


def find_user(email: str) -> User | None:
    """The user of any tenant who has this address; for the server's admin only."""
    found = users.find_email(rules.email(email))
    return users.find(*found) if found else None


def get_user(tenant: TenantId, user_id: str) -> User:
    """The user.

    Raises:
        NotFound: the tenant has none of this id.
    """
    user = users.find(tenant, user_id)
    if user is None:
        raise NotFound("user not found")
    return user


def list_users(tenant: TenantId, wanted: rules.UserFilter | None = None) -> list[User]:
    """The tenant's users that a filter takes, by id."""
    return [
        user
        for user in users.of_tenant(tenant)
        if wanted is None or wanted.takes(user.id, user.email, user.created, user.updated)
    ]


def update_user(
    tenant: TenantId, user_id: str, change: rules.Change, *, current_password: str, keep_token: str | None
) -> None:
    """Change address or password. All tokens of the user die but ``keep_token``, the one that asks.

    Raises:
        NotFound: the tenant has no such user.
        Unprocessable: the address is taken, the password breaks a rule, or ``current_password`` is not it.
    """
    for _ in range(RACES):
        user = get_user(tenant, user_id)
        if change.password is not None:
            rules.check_password(change.password, change.email or user.email)
        if change.own and not passwords.verify(user.password, current_password):
            raise Unprocessable("current password mismatch")
        if commit_change(user, change, keep_token=keep_token):
            return
    raise Unavailable


def set_password(tenant: TenantId, user_id: str, password: str) -> None:
    """Give a user a new password without asking for the old one: for the server's admin only.

    Raises:
        NotFound: the tenant has no such user.
        Unprocessable: the password breaks a rule.
    """
    for _ in range(RACES):
        user = get_user(tenant, user_id)
        rules.check_password(password, user.email)
        if commit_change(user, rules.Change(None, password, own=False), keep_token=None):
            return
    raise Unavailable


def about(user: User) -> Object:
    """What an audit entry says of a user."""
    return Object(ObjectType.USER, user.id, {"email": user.email})


def commit_change(user: User, change: rules.Change, *, keep_token: str | None, used: Request | None = None) -> bool:
    """Write a change of a user as it was read; False if the user or the request ``used`` changed meanwhile.

    ``used``: the request that the change completes. All tokens of the user die but ``keep_token``.

    Raises:
        Unprocessable: the new address is taken.
    """
    hashed = passwords.hash_password(change.password) if change.password is not None else None
    proved = used is not None and used.purpose is rules.Purpose.EMAIL_CHANGE
    tx = Transaction()
    users.change(tx, user, clock.now(), email=change.email, password=hashed, proved=proved)
    gone = [token for token in tokens.of_user(user.tenant, user.id) if token.id != keep_token]
    tokens.delete_all(tx, user, gone)
    if used is not None:
        requests.use(tx, user.tenant, user.id, used)
    elif change.password is not None:
        requests.delete(tx, user.tenant, user.id, rules.Purpose.PASSWORD_RESET)
    action = Action.UPDATE if change.password is None else Action.PASSWORD_CHANGE
    told = f"Updated user {user.email}:\ne-mail address {user.email} -> {change.email}" if change.email else None
    auditlogs.record(tx, user.tenant, action, about(user), change=told)
    try:
        tx.commit()
    except ConditionFailed as failed:
        # A taken address may be taken by a change of this very user: whoever reads again knows.
        if users.USER in failed.failed or requests.REQUEST in failed.failed:
            return False
        raise Unprocessable(TAKEN) from failed
    return True


def delete_user(tenant: TenantId, user_id: str) -> None:
    """Delete a user with address, settings and tokens; also if there is none (any more).

    Raises:
        Unavailable: the user kept changing.
    """
    for _ in range(RACES):
        user = users.find(tenant, user_id)
        if user is None:
            return
        tx = Transaction()
        users.delete(tx, user)
        tokens.delete_all(tx, user, tokens.of_user(tenant, user_id))
        try:
            tx.commit()
        except ConditionFailed:
            continue
        return
    raise Unavailable

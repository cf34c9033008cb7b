"""Logins and tokens: sessions for people, personal access tokens for programs.

A token is a JWT that is verified offline, and a row that must exist (``service.require_session``). The row contains the
token's id only, so what is stored cannot be used to call the API.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from chalicelib import clock, limits, settings, tokens
from chalicelib.auditlogs import service as auditlogs
from chalicelib.errors import BadRequest, Conflict, Forbidden, Unauthorized, Unprocessable
from chalicelib.fleet import control
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import Transaction, retried
from chalicelib.useradm import rules, service
from chalicelib.useradm.service import failed_attempts, passwords, twofactor
from chalicelib.useradm.service.users import acting_as
from chalicelib.useradm.tables import attempts, users
from chalicelib.useradm.tables import tokens as rows
from chalicelib.useradm.tables.tokens import Proof, Token

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.useradm.tables.users import UsedCode, User

_NOBODY = TenantId("-")


@retried
def login(address: str, password: str, source_ip: str, *, code: str = "", no_expiry: bool = False) -> str:
    """A new session's JWT, for address, password and, with a second factor, ``code``.

    A user keeps ten sessions; older ones are deleted (simultaneous logins may leave more until the next). Neither the
    answer nor its time shows whether the address or the password is wrong.

    Raises:
        Unauthorized: the credentials are wrong, a required code is missing, or the tenant is suspended.
        TooManyRequests: ``settings.login_attempts`` failures of this address from this network in
            ``settings.login_window`` seconds.
    """
    address = rules.account(address)
    # The key of the counter: text that is not an account may be a password, typed into the wrong field.
    guard = hashlib.sha256(address.encode()).hexdigest(), rules.network(source_ip)
    now = clock.now()
    failed_attempts.refuse_after_failures(guard, now)
    user = _check(address, password)
    if user is None:
        failed_attempts.note_failure(guard, now)
        raise Unauthorized("unauthorized")
    if not control.get(user.tenant).active:
        raise Unauthorized("Account suspended")
    used = twofactor.code_of_login(user, code, now)
    token = _begin(user, password, guard, now, used=used, no_expiry=no_expiry)
    if used is not None:
        twofactor.tell_use(user, used)
    return _jwt(user, token)


def _check(address: str, password: str) -> User | None:
    """The user with this address and password. An unknown address costs the same work."""
    tenant, user_id = users.find_email(address) or (_NOBODY, "-")
    user = users.find(tenant, user_id)
    right = passwords.verify(user.password if user else passwords.DUMMY, password)
    return user if right else None


def _begin(  # everything that a new session needs
    user: User, password: str, guard: failed_attempts.Guard, now: datetime, *, used: UsedCode | None, no_expiry: bool
) -> Token:
    """Store a new session."""
    rehashed = passwords.hash_password(password) if passwords.is_outdated(user.password) else None
    proof = Proof(now, by_code=used is not None)
    tx = Transaction()
    users.note_login(tx, user, now, rehashed=rehashed, used=used)
    attempts.clear(tx, *guard, now, settings.current().login_attempts)
    if used is not None:
        twofactor.forgive(tx, user, now)
        with acting_as(user):
            twofactor.note_use(tx, user, used)
    return _store(tx, user, now, proof, no_expiry=no_expiry)


def admit(user: User) -> str:
    """A new session's JWT for a user identified elsewhere.

    Raises:
        ConditionFailed: the user has changed since it was read.
    """
    now = clock.now()
    tx = Transaction()
    users.note_login(tx, user, now, rehashed=None)
    return _jwt(user, _store(tx, user, now, Proof(now), no_expiry=False))


@retried
def switch(home: TenantId, user_id: str, token_id: str, tenant: TenantId) -> str:
    """A new session's JWT for a signed-in user in another tenant that they work in, or back in their own.

    Raises:
        BadRequest: the tenant does not exist or the user may not work there; the answer does not tell which.
        Forbidden: the caller uses a personal access token, which would continue as a session.
        NotFound: the user was deleted.
    """
    asking = rows.find(home, user_id, token_id)
    if asking is None or asking.name is not None:
        raise Forbidden("a personal access token cannot be exchanged for a token of another tenant")
    user = service.get_user(home, user_id)
    if (tenant != home and tenant not in user.assigned) or not control.get(tenant).active:
        raise BadRequest("tenant: you are not assigned to this tenant")
    now = clock.now()
    tx = Transaction()
    users.touch(tx, user)
    # This is not a sign-in: the new session keeps the time of the old one's.
    token = _store(tx, user, now, asking.proof, no_expiry=False, tenant=tenant if tenant != home else None)
    return _jwt(user, token)


def _store(
    tx: Transaction,
    user: User,
    now: datetime,
    proof: Proof | None,
    *,
    no_expiry: bool,
    tenant: TenantId | None = None,
) -> Token:
    """Commit a login with its session, in place of the oldest ones."""
    life = None if no_expiry else timedelta(seconds=settings.current().user_token_life)
    token = replace(_new_token(None, now, life), tenant=tenant, proof=proof)
    sessions = [row for row in rows.of_user(user.tenant, user.id) if row.name is None]
    sessions.sort(key=lambda row: row.created, reverse=True)
    rows.put_new(tx, user, token)
    rows.delete_all(tx, user, sessions[limits.SESSIONS_PER_USER - 1 :])
    tx.commit()
    return token


def logout(tenant: TenantId, user_id: str, token_id: str) -> None:
    """End the calling session, or revoke the calling personal access token."""
    rows.delete(tenant, user_id, token_id)


def list_sessions(tenant: TenantId, user_id: str) -> list[Token]:
    """The user's sessions that have not expired, the newest first."""
    now = clock.now()
    found = [row for row in rows.of_user(tenant, user_id) if row.name is None]
    good = [row for row in found if row.expires is None or row.expires > now]
    return sorted(good, key=lambda row: row.created, reverse=True)


def end_session(tenant: TenantId, user_id: str, token_id: str) -> None:
    """End a session of the user, if there is one with this id. It is refused at its next call."""
    row = rows.find(tenant, user_id, token_id)
    if row is not None and row.name is None:
        rows.delete(tenant, user_id, token_id)


def logout_everywhere(tenant: TenantId, user_id: str) -> None:
    """End all sessions of a user; personal access tokens stay. One that begins meanwhile stays too."""
    for row in rows.of_user(tenant, user_id):
        if row.name is None:
            rows.delete(tenant, user_id, row.id)


@retried
def create_token(tenant: TenantId, user_id: str, name: str, expires_in: int) -> str:
    """Create a personal access token; returns its JWT, which is shown only once.

    Args:
        tenant: the user's tenant.
        user_id: the token's user.
        name: unique among the user's tokens.
        expires_in: seconds; 0 means never.

    Raises:
        BadRequest: the name or the lifetime is not valid.
        Conflict: the user has a token with this name.
        Unprocessable: the user has reached the limit.
        NotFound: the user was deleted.
    """
    rules.check_token(name, expires_in)
    user = service.get_user(tenant, user_id)
    now = clock.now()
    present, expired = _personal(tenant, user_id, now)
    if any(row.name == name for row in present):
        raise Conflict("Personal Access Token with a given name already exists")
    if len(present) >= limits.TOKENS_PER_USER:
        raise Unprocessable("maximum number of personal access tokens reached for this user")
    token = _new_token(name, now, timedelta(seconds=expires_in) if expires_in else None)
    tx = Transaction()
    users.touch(tx, user)
    rows.put_new(tx, user, token)
    rows.delete_all(tx, user, expired)
    auditlogs.record(tx, tenant, auditlogs.Action.CREATE, _about(token))
    tx.commit()
    return _jwt(user, token)


def list_tokens(tenant: TenantId, user_id: str) -> list[Token]:
    """The user's personal access tokens that have not expired, oldest first."""
    present, _ = _personal(tenant, user_id, clock.now())
    return sorted(present, key=lambda row: row.created)


def revoke_token(tenant: TenantId, user_id: str, token_id: str) -> None:
    """Revoke a personal access token of the user, if it exists. It is refused at its next call."""
    row = rows.find(tenant, user_id, token_id)
    if row is None or row.name is None:
        return
    tx = Transaction()
    rows.delete_present(tx, tenant, user_id, token_id)
    auditlogs.record(tx, tenant, auditlogs.Action.DELETE, _about(row))
    tx.try_commit()  # fails if another call was faster


def _about(token: Token) -> auditlogs.Object:
    return auditlogs.Object(auditlogs.ObjectType.USER_ACCESS_TOKEN, token.id, {"name": token.name})


def _personal(tenant: TenantId, user_id: str, now: datetime) -> tuple[list[Token], list[Token]]:
    """The valid personal access tokens, and the expired ones that were not deleted yet."""
    named = [row for row in rows.of_user(tenant, user_id) if row.name is not None]
    good = [row for row in named if row.expires is None or row.expires > now]
    return good, [row for row in named if row not in good]


def _new_token(name: str | None, now: datetime, life: timedelta | None) -> Token:
    expires = now + life if life is not None else None
    return Token(id=str(uuid.uuid4()), name=name, created=now, used=None, expires=expires)


def _jwt(user: User, token: Token) -> str:
    """The JWT of a session or personal access token (``docs/behaviour.md#user-tokens``).

    ``lamplighter.home`` is the user's own tenant; only tokens for another tenant have it.
    """
    tenant_id = TenantId(token.tenant or user.tenant)
    tenant = control.get(tenant_id)
    issued = int(token.created.timestamp())
    claims = {
        "jti": token.id,
        "sub": user.id,
        "iss": "mender.useradm",
        "iat": issued,
        "nbf": issued,
        "scp": "mender.*",
        "mender.user": True,
        "mender.tenant": tenant_id,
        "mender.plan": tenant.plan,
        "mender.trial": False,
        "mender.addons": list(tenant.addons),
    }
    if tenant_id != user.tenant:
        claims["lamplighter.home"] = user.tenant
    if token.expires is not None:
        claims["exp"] = int(token.expires.timestamp())
    return tokens.issue(claims)

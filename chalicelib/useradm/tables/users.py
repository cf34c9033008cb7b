"""Users, and the reservations of their addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field  # noqa: TID251  # its repr hides a secret
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from pynamodb.attributes import BinaryAttribute, BooleanAttribute, UnicodeAttribute, UnicodeSetAttribute

from chalicelib.storage import keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, TimeAttribute
from chalicelib.storage.keys import TenantId
from chalicelib.useradm.rules import TfaStatus
from chalicelib.useradm.tables import PERMIT_ALL, UseradmItem, requests, user_key
from chalicelib.useradm.tables.settings import delete_own_settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action

    from chalicelib.storage.transactions import Transaction

USER, EMAIL, ADMIN = "user", "email", "admin"
"""Labels of conditions: the user has changed meanwhile; the address is taken; the other user is no longer an
administrator."""


@dataclass(frozen=True, slots=True)
class TwoFactor:
    """A user's second factor. ``secret`` is encrypted; ``step`` is that of the last accepted code.

    ``recovery`` has the hashes of the recovery codes that were not used yet.
    """

    status: TfaStatus = TfaStatus.DISABLED
    secret: bytes | None = field(default=None, repr=False)
    step: int | None = None
    recovery: frozenset[str] = field(default=frozenset(), repr=False)


class UsedCode(msgspec.Struct, frozen=True):
    """A code to mark as used: the step of the app's code, or the hash of a recovery code."""

    step: int = 0
    recovery: str | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A user. ``password`` is a hash and never leaves this package."""

    id: str
    tenant: TenantId
    email: str
    password: str = field(repr=False)
    created: datetime
    updated: datetime
    login: datetime | None
    revision: int
    verified: bool = False
    tfa: TwoFactor = TwoFactor()
    roles: tuple[str, ...] = (PERMIT_ALL,)
    """Names of roles. Users from before roles existed are administrators."""
    sso: Mapping[str, str] = field(default_factory=dict)
    """Identity providers at which the user has signed in, with the user's identity there."""
    assigned: Mapping[str, list[str]] = field(default_factory=dict)
    """Other tenants in which the user may work, with the names of roles there."""


class UserItem(UseradmItem):
    """A user."""

    email = UnicodeAttribute()
    password = UnicodeAttribute()
    created = TimeAttribute()
    updated = TimeAttribute()
    login = TimeAttribute(null=True)
    revision = IntegerAttribute(default=0)
    verified = BooleanAttribute(default=False)
    tfa_status = UnicodeAttribute(default=TfaStatus.DISABLED)
    tfa_secret = BinaryAttribute(null=True, legacy_encoding=False)
    tfa_step = IntegerAttribute(null=True)
    tfa_recovery: UnicodeSetAttribute = UnicodeSetAttribute(null=True)
    roles = BlobAttribute(default=lambda: [PERMIT_ALL])
    """Names of roles."""
    sso = BlobAttribute(default=dict)
    assigned = BlobAttribute(default=dict)
    """Names of roles, by tenant."""


class EmailItem(UseradmItem):
    """The user with an address."""

    tenant = UnicodeAttribute()
    user = UnicodeAttribute()


def find(tenant: TenantId, user: str) -> User | None:
    """The user as it is now."""
    item = UserItem.find(*user_key(tenant, user))
    return _user(item, tenant) if item is not None else None


def find_email(email: str) -> tuple[TenantId, str] | None:
    """Tenant and id of the user with this lower-case address."""
    item = EmailItem.find(keys.shared("EMAIL", email), "EMAIL")
    return (TenantId(item.tenant), item.user) if item is not None else None


def of_tenant(tenant: TenantId) -> Iterator[User]:
    """All users of a tenant, by id."""
    for item in UserItem.query(keys.partition(tenant, "USERS"), consistent_read=True):
        yield _user(item, tenant)


def count(tenant: TenantId) -> int:
    """The number of a tenant's users."""
    return UserItem.count(keys.partition(tenant, "USERS"), consistent_read=True)


def put_new(tx: Transaction, user: User) -> None:
    """Add a user and reserve the address."""
    tx.put(
        UserItem(
            *_user_key(user),
            email=user.email,
            password=user.password,
            created=user.created,
            updated=user.updated,
            verified=user.verified,
            roles=list(user.roles),
            sso=dict(user.sso),
        ),
        UserItem.pk.does_not_exist(),
        label=USER,
    )
    _claim(tx, user, user.email)


def change(
    tx: Transaction,
    before: User,
    now: datetime,
    *,
    email: str | None = None,
    password: str | None = None,
    roles: Collection[str] | None = None,
    proved: bool = False,
) -> None:
    """Change a user if unchanged since it was read. ``password`` is a hash; ``proved``: the address is verified."""
    actions: list[Action] = [UserItem.updated.set(now)]
    if email is not None and email != before.email:
        # A second factor belongs to the address under which the user's app shows it.
        actions += [UserItem.email.set(email), UserItem.verified.set(proved), *_two_factor(TwoFactor())]
        _claim(tx, before, email)
        tx.delete(EmailItem(keys.shared("EMAIL", before.email), "EMAIL"))
    elif proved:
        actions.append(UserItem.verified.set(True))
    if password is not None:
        actions.append(UserItem.password.set(password))
    if roles is not None:
        actions.append(UserItem.roles.set(list(roles)))
    _update(tx, before, actions)


def set_verified(tx: Transaction, before: User, now: datetime) -> None:
    """Mark the address of a user as verified, if the user is unchanged since it was read."""
    _update(tx, before, [UserItem.updated.set(now), UserItem.verified.set(True)])


def set_two_factor(tx: Transaction, before: User, now: datetime, after: TwoFactor) -> None:
    """Change the second factor of a user, if the user is unchanged since it was read."""
    _update(tx, before, [UserItem.updated.set(now), *_two_factor(after)])


def set_recovery(tx: Transaction, before: User, now: datetime, hashes: Collection[str]) -> None:
    """Replace the recovery codes of a user, if the user is unchanged since it was read."""
    _update(tx, before, [UserItem.updated.set(now), UserItem.tfa_recovery.set(set(hashes))])


def set_sealed(tx: Transaction, before: User, secret: bytes) -> None:
    """Replace the encrypted secret of a second factor; fails with :data:`USER` if it has changed meanwhile."""
    # A new revision, because another process may be about to write the old secret back.
    actions = [UserItem.tfa_secret.set(secret), UserItem.revision.add(1)]
    tx.update(UserItem(*_user_key(before)), actions, UserItem.tfa_secret == before.tfa.secret, label=USER)


def _two_factor(after: TwoFactor) -> list[Action]:
    return [
        UserItem.tfa_status.set(after.status),
        UserItem.tfa_secret.set(after.secret) if after.secret is not None else UserItem.tfa_secret.remove(),
        UserItem.tfa_step.set(after.step) if after.step is not None else UserItem.tfa_step.remove(),
        UserItem.tfa_recovery.set(set(after.recovery)) if after.recovery else UserItem.tfa_recovery.remove(),
    ]


def hold_admin(tx: Transaction, admin: User) -> None:
    """Make a transaction fail with label :data:`ADMIN` unless this user still exists as an administrator."""
    same = UserItem.roles.does_not_exist() | (UserItem.roles == list(admin.roles))
    tx.check(UserItem(*_user_key(admin)), UserItem.pk.exists() & same, label=ADMIN)


def set_sso(tx: Transaction, before: User, now: datetime, sso: Mapping[str, str]) -> None:
    """Link a user to identities of providers, if the user is unchanged since it was read."""
    _update(tx, before, [UserItem.updated.set(now), UserItem.sso.set(dict(sso))])


def set_assigned(tx: Transaction, before: User, now: datetime, assigned: Mapping[str, list[str]]) -> None:
    """Assign a user to other tenants, if the user is unchanged since it was read."""
    _update(tx, before, [UserItem.updated.set(now), UserItem.assigned.set(dict(assigned))])


def touch(tx: Transaction, before: User) -> None:
    """Make a change of the user's tokens conditional on the user as it was read."""
    _update(tx, before, [])


def note_code(tx: Transaction, before: User, used: UsedCode) -> None:
    """Mark a code as used. It fails with :data:`USER` if the code was used meanwhile, because each works once."""
    action, unused = _use(before, used)
    tx.update(UserItem(*_user_key(before)), [action], unused, label=USER)


def _use(before: User, used: UsedCode) -> tuple[Action, Condition]:
    if used.recovery is not None:
        left = UserItem.tfa_recovery
        return left.delete({used.recovery}), left.contains(used.recovery)
    return UserItem.tfa_step.set(used.step), UserItem.tfa_step == before.tfa.step


def note_login(
    tx: Transaction, before: User, now: datetime, *, rehashed: str | None, used: UsedCode | None = None
) -> None:
    """Store a login; ``rehashed`` replaces the hash of the password, ``used`` is the code that came with it.

    The condition covers the password and the last code only, so simultaneous logins of a user do not hinder each other,
    and no two use the same code.
    """
    same = UserItem.password == before.password
    actions: list[Action] = [UserItem.login.set(now), UserItem.revision.add(1)]
    if rehashed is not None:
        actions.append(UserItem.password.set(rehashed))
    if used is not None:
        action, unused = _use(before, used)
        actions.append(action)
        same &= unused
    tx.update(UserItem(*_user_key(before)), actions, same, label=USER)


def delete(tx: Transaction, before: User) -> None:
    """Delete a user unchanged since it was read, with address and settings. Tokens: ``tables.tokens.delete_all``."""
    tx.delete(UserItem(*_user_key(before)), UserItem.revision == before.revision, label=USER)
    tx.delete(EmailItem(keys.shared("EMAIL", before.email), "EMAIL"))
    delete_own_settings(tx, before.tenant, before.id)
    requests.delete_all(tx, before.tenant, before.id)


def _update(tx: Transaction, before: User, actions: list[Action]) -> None:
    """Change a user; fails with label :data:`USER` if it has changed since it was read."""
    same = UserItem.revision == before.revision
    tx.update(UserItem(*_user_key(before)), [UserItem.revision.add(1), *actions], same, label=USER)


def _user_key(user: User) -> tuple[str, str]:
    return user_key(user.tenant, user.id)


def _claim(tx: Transaction, user: User, email: str) -> None:
    item = EmailItem(keys.shared("EMAIL", email), "EMAIL", tenant=user.tenant, user=user.id)
    tx.put(item, EmailItem.pk.does_not_exist(), label=EMAIL)


def _user(item: UserItem, tenant: TenantId) -> User:
    return User(
        id=keys.last_part(item.sk),
        tenant=tenant,
        email=item.email,
        password=item.password,
        created=item.created,
        updated=item.updated,
        login=item.login,
        revision=item.revision,
        verified=bool(item.verified),
        tfa=TwoFactor(
            TfaStatus(item.tfa_status),
            item.tfa_secret,
            item.tfa_step if item.tfa_step is not None else None,  # type: ignore[redundant-expr]  # null
            frozenset(item.tfa_recovery or ()),
        ),
        roles=tuple(item.roles),
        sso=item.sso,
        assigned=item.assigned,
    )

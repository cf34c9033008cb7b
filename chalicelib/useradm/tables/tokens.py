"""The rows behind JWTs: sessions and personal access tokens."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.base import IntegerAttribute, TimeAttribute
from chalicelib.storage.records import Reader
from chalicelib.useradm.rules import TfaStatus
from chalicelib.useradm.tables import PERMIT_ALL, UseradmItem, own, user_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction
    from chalicelib.useradm.tables.users import User

_TOKEN = "TOKEN"  # noqa: S105  # the name of a key
_IN_TRANSACTION = 80


class Proof(msgspec.Struct, frozen=True):
    """When a session's user last signed in or gave the password or a code, and whether it was a code."""

    at: datetime
    by_code: bool = False


class Token(msgspec.Struct, frozen=True):
    """The row of a JWT: a session, or a personal access token, which has a ``name``. No ``expires`` means never."""

    id: str
    name: str | None
    created: datetime
    used: datetime | None
    expires: datetime | None
    tenant: str | None = None
    """The other tenant of a session; None: the user's own."""
    proof: Proof | None = None
    """None for personal access tokens, and for sessions from before proofs existed."""


class TokenItem(UseradmItem):
    """A session or personal access token."""

    name = UnicodeAttribute(null=True)
    created = TimeAttribute()
    used = TimeAttribute(null=True)
    expires = TimeAttribute(null=True)
    tenant = UnicodeAttribute(null=True)
    proved = TimeAttribute(null=True)
    by_code = BooleanAttribute(default=False)
    expires_at = IntegerAttribute(null=True)


def find(tenant: TenantId, user: str, token: str) -> Token | None:
    """A token's row (strongly consistent)."""
    item = TokenItem.find(own(tenant, user), keys.sort(_TOKEN, token))
    return _token(item) if item is not None else None


class AccessRecord(msgspec.Struct, frozen=True):
    """The attributes of a :class:`TokenItem`, or of a user's item, that a call needs."""

    pk: str
    sk: str
    name: str | None = None
    used: datetime | None = None
    tenant: str | None = None
    email: str | None = None
    proved: datetime | None = None
    by_code: bool = False
    tfa_status: str = TfaStatus.DISABLED
    roles: Any = None
    assigned: Any = None


_reader = Reader(AccessRecord)


class Access(msgspec.Struct, frozen=True):
    """A token with its user, as a call needs them. A personal access token has a ``name``."""

    name: str | None
    used: datetime | None
    email: str
    roles: tuple[str, ...]
    proof: Proof | None
    needs_code: bool
    """Whether the user has a second factor."""


def access(home: TenantId, user: str, token: str, tenant: TenantId) -> Access | None:
    """A token and its user in one strongly consistent round trip; None unless both exist, for this tenant.

    ``home`` is the user's own tenant, ``tenant`` that of the token.
    """
    session = (own(home, user), keys.sort(_TOKEN, token))
    found = {item.pk: item for item in _reader.find_many(keys.table("useradm"), [session, user_key(home, user)])}
    if len(found) < 2:
        return None
    row, person = found.pop(session[0]), found.popitem()[1]
    own_roles = [PERMIT_ALL] if person.roles is None else person.roles
    roles = own_roles if tenant == home else (person.assigned or {}).get(tenant)
    if roles is None or (row.tenant or home) != tenant:
        return None
    return Access(
        name=row.name,
        used=row.used,
        email=person.email or "",
        roles=tuple(roles),
        proof=_proof(row),
        needs_code=person.tfa_status == TfaStatus.ENABLED,
    )


def of_user(tenant: TenantId, user: str) -> list[Token]:
    """All tokens of a user, including expired ones that were not deleted yet."""
    prefix = TokenItem.sk.startswith(keys.sort(_TOKEN, ""))
    return [_token(item) for item in TokenItem.query(own(tenant, user), prefix, consistent_read=True)]


def put_new(tx: Transaction, user: User, token: Token) -> None:
    """Add a token."""
    item = TokenItem(
        own(user.tenant, user.id),
        keys.sort(_TOKEN, token.id),
        name=token.name,
        created=token.created,
        expires=token.expires,
        tenant=token.tenant,
        proved=token.proof.at if token.proof else None,
        by_code=bool(token.proof and token.proof.by_code),
        expires_at=int(token.expires.timestamp()) + 1 if token.expires else None,
    )
    tx.put(item)


def delete_all(tx: Transaction, user: User, gone: Sequence[Token]) -> None:
    """Delete tokens as a part of a transaction.

    There are few of them. If simultaneous logins have left more than a transaction takes, the rest is deleted before
    it.
    """
    for token in gone[_IN_TRANSACTION:]:
        delete(user.tenant, user.id, token.id)
    for token in gone[:_IN_TRANSACTION]:
        tx.delete(TokenItem(own(user.tenant, user.id), keys.sort(_TOKEN, token.id)))


def delete_present(tx: Transaction, tenant: TenantId, user: str, token: str) -> None:
    """Delete one token, which must exist."""
    tx.delete(TokenItem(own(tenant, user), keys.sort(_TOKEN, token)), TokenItem.pk.exists(), label="token")


def delete(tenant: TenantId, user: str, token: str) -> None:
    """Delete one token, if it exists."""
    TokenItem(own(tenant, user), keys.sort(_TOKEN, token)).delete()


def note_use(tenant: TenantId, user: str, token: str, now: datetime) -> bool:
    """Record the use of a token. False if it was deleted meanwhile, because the record must not recreate it."""
    item = TokenItem(own(tenant, user), keys.sort(_TOKEN, token))
    return item.update_if([TokenItem.used.set(now)], TokenItem.pk.exists())


def note_proof(tx: Transaction, tenant: TenantId, user: str, token: str, proof: Proof) -> None:
    """Store the proof of a session; fails with label ``token`` if the session has ended meanwhile."""
    actions = [TokenItem.proved.set(proof.at), TokenItem.by_code.set(proof.by_code)]
    tx.update(TokenItem(own(tenant, user), keys.sort(_TOKEN, token)), actions, TokenItem.pk.exists(), label="token")


def _token(item: TokenItem) -> Token:
    return Token(keys.last_part(item.sk), item.name, item.created, item.used, item.expires, item.tenant, _proof(item))


def _proof(item: TokenItem | AccessRecord) -> Proof | None:
    at: datetime | None = item.proved  # its type does not include null
    return Proof(at, bool(item.by_code)) if at is not None else None

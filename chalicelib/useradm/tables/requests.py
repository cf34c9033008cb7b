"""Requests that a mailed secret completes: one per user and purpose.

Only the hash of a secret is stored. It leads to the request (``SecretItem``), which must have the same hash: a newer
request with the same purpose makes the earlier secret invalid, and a completed request is deleted.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace
from pynamodb.attributes import UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.base import IntegerAttribute, TimeAttribute
from chalicelib.storage.keys import TenantId
from chalicelib.useradm.rules import Purpose
from chalicelib.useradm.tables import UseradmItem, own

if TYPE_CHECKING:
    from chalicelib.storage.transactions import Transaction

REQUEST = "request"
"""Label of a condition: the request was completed or replaced meanwhile, or another one is pending."""
_SORT = "REQUEST"
_SECRET_SORT = "SECRET"  # noqa: S105  # the name of a key


class Request(msgspec.Struct, frozen=True):
    """A request. ``email`` is the address concerned; ``secret`` is a hash, None until the mail is written."""

    purpose: Purpose
    email: str
    created: datetime
    until: datetime
    secret: str | None = None


class RequestItem(UseradmItem):
    """A request."""

    email = UnicodeAttribute()
    created = TimeAttribute()
    until = TimeAttribute()
    secret = UnicodeAttribute(null=True)
    expires_at = IntegerAttribute()


class SecretItem(UseradmItem):
    """The request of a secret."""

    tenant = UnicodeAttribute()
    user = UnicodeAttribute()
    purpose = UnicodeAttribute()
    expires_at = IntegerAttribute()


def find(tenant: TenantId, user: str, purpose: Purpose) -> Request | None:
    """The user's request, also an expired one that was not deleted yet."""
    item = RequestItem.find(own(tenant, user), keys.sort(_SORT, purpose))
    return Request(purpose, item.email, item.created, item.until, item.secret) if item is not None else None


def find_secret(secret: str, purpose: Purpose) -> tuple[TenantId, str] | None:
    """Tenant and user of a secret with this hash, if it is for this purpose."""
    item = SecretItem.find(*secret_key(secret))
    return (TenantId(item.tenant), item.user) if item is not None and item.purpose == purpose else None


def secret_key(secret: str) -> tuple[str, str]:
    """The key of the item of a secret with this hash."""
    return keys.shared(_SECRET_SORT, secret), _SECRET_SORT


def put(tx: Transaction, tenant: TenantId, user: str, request: Request) -> None:
    """Store a request with its secret, in place of one with the same purpose."""
    tx.put(_item(tenant, user, request))
    _lead(tx, tenant, user, request)


def complete(tx: Transaction, tenant: TenantId, user: str, pending: Request, secret: str) -> None:
    """Store the hash of a new secret in a request, if that is unchanged since it was read."""
    request = replace(pending, secret=secret)
    tx.put(_item(tenant, user, request), RequestItem.created == pending.created, label=REQUEST)
    _lead(tx, tenant, user, request)


def _lead(tx: Transaction, tenant: TenantId, user: str, request: Request) -> None:
    tx.put(
        SecretItem(
            *secret_key(request.secret or ""),
            tenant=tenant,
            user=user,
            purpose=request.purpose,
            expires_at=_expiry(request),
        )
    )


def put_first(tx: Transaction, tenant: TenantId, user: str, request: Request) -> None:
    """Store a request unless one with the same purpose is pending."""
    free = RequestItem.pk.does_not_exist() | (RequestItem.until <= request.created)
    tx.put(_item(tenant, user, request), free, label=REQUEST)


def use(tx: Transaction, tenant: TenantId, user: str, request: Request) -> None:
    """Complete a request if it is unchanged since it was read: only once."""
    ref = RequestItem(own(tenant, user), keys.sort(_SORT, request.purpose))
    tx.delete(ref, RequestItem.secret == request.secret, label=REQUEST)


def delete(tx: Transaction, tenant: TenantId, user: str, purpose: Purpose) -> None:
    """Delete a request, if there is one. Its secret is then invalid."""
    tx.delete(RequestItem(own(tenant, user), keys.sort(_SORT, purpose)))


def delete_all(tx: Transaction, tenant: TenantId, user: str) -> None:
    """Delete the requests of a deleted user."""
    for purpose in Purpose:
        delete(tx, tenant, user, purpose)


def _item(tenant: TenantId, user: str, request: Request) -> RequestItem:
    return RequestItem(
        own(tenant, user),
        keys.sort(_SORT, request.purpose),
        email=request.email,
        created=request.created,
        until=request.until,
        secret=request.secret,
        expires_at=_expiry(request),
    )


def _expiry(request: Request) -> int:
    # A day longer than it is valid, so that a late user is told that it has expired.
    return int(request.until.timestamp()) + 86_400

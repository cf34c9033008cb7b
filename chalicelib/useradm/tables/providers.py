"""Identity providers of tenants, and logins that browsers have started at them."""

from __future__ import annotations

from dataclasses import dataclass, field  # noqa: TID251  # its repr hides a secret
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from pynamodb.attributes import BinaryAttribute, BooleanAttribute, UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, TimeAttribute
from chalicelib.storage.keys import TenantId
from chalicelib.useradm.tables import UseradmItem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.storage.transactions import Transaction

PROVIDER = "provider"
"""Label of a condition: the provider was changed or deleted meanwhile."""
_OWN, _SHARED, _STATE = "SSO", "PROVIDER", "STATE"


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider. ``secret`` is encrypted; ``version`` counts its changes."""

    id: str
    tenant: TenantId
    issuer: str
    well_known: str
    client_id: str
    secret: bytes = field(repr=False)
    domains: tuple[str, ...]
    auto_provision: bool
    roles: tuple[str, ...]
    version: int = 0


class Login(msgspec.Struct, frozen=True):
    """A login that a browser has started. ``challenge`` is the hash of a secret that only that browser has."""

    tenant: TenantId
    provider: str
    issuer: str
    nonce: str
    challenge: str
    until: datetime


class ProviderItem(UseradmItem):
    """An identity provider."""

    issuer = UnicodeAttribute()
    well_known = UnicodeAttribute()
    client_id = UnicodeAttribute()
    secret = BinaryAttribute(legacy_encoding=False)
    domains = BlobAttribute()
    auto_provision = BooleanAttribute()
    roles = BlobAttribute()
    version = IntegerAttribute()


class ProviderTenantItem(UseradmItem):
    """The tenant of a provider, because logins begin without a token."""

    tenant = UnicodeAttribute()


class LoginItem(UseradmItem):
    """A started login."""

    tenant = UnicodeAttribute()
    provider = UnicodeAttribute()
    issuer = UnicodeAttribute(default="")
    nonce = UnicodeAttribute()
    challenge = UnicodeAttribute()
    until = TimeAttribute()
    expires_at = IntegerAttribute()


def partition(tenant: TenantId) -> str:
    """The partition of a tenant's providers."""
    return keys.partition(tenant, _OWN)


def lookup_key(provider: str) -> tuple[str, str]:
    """The key of the item with a provider's tenant."""
    return keys.shared(_SHARED, provider), _SHARED


def find(tenant: TenantId, provider: str) -> Provider | None:
    """A tenant's provider."""
    item = ProviderItem.find(partition(tenant), keys.sort(provider))
    return _provider(item, tenant) if item is not None else None


def tenant_of(provider: str) -> TenantId | None:
    """The tenant of a provider."""
    item = ProviderTenantItem.find(*lookup_key(provider))
    return TenantId(item.tenant) if item is not None else None


def of_tenant(tenant: TenantId) -> Iterator[Provider]:
    """All providers of a tenant, by id."""
    for item in ProviderItem.query(partition(tenant), consistent_read=True):
        yield _provider(item, tenant)


def put_new(tx: Transaction, provider: Provider) -> None:
    """Add a provider."""
    tx.put(_item(provider), ProviderItem.pk.does_not_exist(), label=PROVIDER)
    tx.put(ProviderTenantItem(*lookup_key(provider.id), tenant=provider.tenant))


def replace(tx: Transaction, before: Provider, after: Provider) -> None:
    """Change a provider if it is unchanged since it was read."""
    item = _item(after)
    item.version = before.version + 1
    tx.put(item, ProviderItem.version == before.version, label=PROVIDER)


def set_sealed(tx: Transaction, before: Provider, secret: bytes) -> None:
    """Replace the encrypted secret; fails with :data:`PROVIDER` if it was changed or deleted meanwhile."""
    ref = ProviderItem(partition(before.tenant), keys.sort(before.id))
    # A new version, because another process may be about to write the old secret back.
    actions = [ProviderItem.secret.set(secret), ProviderItem.version.add(1)]
    tx.update(ref, actions, ProviderItem.secret == before.secret, label=PROVIDER)


def delete(tx: Transaction, provider: Provider) -> None:
    """Delete a provider if it is unchanged since it was read."""
    tx.delete(_item(provider), ProviderItem.version == provider.version, label=PROVIDER)
    tx.delete(ProviderTenantItem(*lookup_key(provider.id)))


def put_login(state: str, login: Login) -> None:
    """Store a login that a browser has started; ``state`` is a hash."""
    LoginItem(
        keys.shared(_STATE, state),
        _STATE,
        tenant=login.tenant,
        provider=login.provider,
        issuer=login.issuer,
        nonce=login.nonce,
        challenge=login.challenge,
        until=login.until,
        expires_at=int(login.until.timestamp()) + 1,
    ).save()


def take_login(state: str) -> Login | None:
    """The login with a state; it is deleted, so it can be used only once."""
    item = LoginItem.find(keys.shared(_STATE, state), _STATE)
    if item is None or not item.delete_if(LoginItem.pk.exists()):
        return None
    return Login(TenantId(item.tenant), item.provider, item.issuer, item.nonce, item.challenge, item.until)


def _item(provider: Provider) -> ProviderItem:
    return ProviderItem(
        partition(provider.tenant),
        keys.sort(provider.id),
        issuer=provider.issuer,
        well_known=provider.well_known,
        client_id=provider.client_id,
        secret=provider.secret,
        domains=list(provider.domains),
        auto_provision=provider.auto_provision,
        roles=list(provider.roles),
        version=provider.version,
    )


def _provider(item: ProviderItem, tenant: TenantId) -> Provider:
    return Provider(
        id=keys.last_part(item.sk),
        tenant=tenant,
        issuer=item.issuer,
        well_known=item.well_known,
        client_id=item.client_id,
        secret=item.secret,
        domains=tuple(item.domains),
        auto_provision=bool(item.auto_provision),
        roles=tuple(item.roles),
        version=item.version,
    )

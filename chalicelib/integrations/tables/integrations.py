"""The integrations of a tenant."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
from pynamodb.attributes import BinaryAttribute, UnicodeAttribute

from chalicelib.integrations.tables import IntegrationsItem
from chalicelib.storage import keys
from chalicelib.storage.base import BlobAttribute

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

INTEGRATION, URL = "integration", "url"
"""Labels of conditions on the integration, and on the reservation of its URL."""


class Integration(msgspec.Struct, frozen=True):
    """A webhook. ``secret`` is encrypted (``aws.vault``); None: events are not signed."""

    id: str
    provider: str
    url: str
    secret: bytes | None
    description: str
    scopes: list[str]


class IntegrationItem(IntegrationsItem):
    """An integration as it is stored."""

    provider = UnicodeAttribute()
    url = UnicodeAttribute()
    secret = BinaryAttribute(null=True, legacy_encoding=False)
    description = UnicodeAttribute()
    scopes = BlobAttribute()


class UrlItem(IntegrationsItem):
    """Reserves a URL for an integration."""

    integration = UnicodeAttribute()


def _ref(tenant: TenantId, integration: str) -> IntegrationItem:
    return IntegrationItem(keys.partition(tenant, "INTEGRATIONS"), keys.sort(integration))


def _claim(tenant: TenantId, url: str) -> UrlItem:
    return UrlItem(keys.partition(tenant, "URLS"), hashlib.sha256(url.encode()).hexdigest())


def _integration(item: IntegrationItem) -> Integration:
    return Integration(keys.last_part(item.sk), item.provider, item.url, item.secret, item.description, item.scopes)


def find(tenant: TenantId, integration: str) -> Integration | None:
    """The integration as it is now."""
    item = _ref(tenant, integration).fetch()
    return _integration(item) if item is not None else None


def of_tenant(tenant: TenantId) -> list[Integration]:
    """All integrations of a tenant, by id."""
    partition = keys.partition(tenant, "INTEGRATIONS")
    return [_integration(item) for item in IntegrationItem.query(partition, consistent_read=True)]


def put_new(tx: Transaction, tenant: TenantId, new: Integration) -> None:
    """Add an integration; fails with :data:`URL` if another one has its URL."""
    item = _ref(tenant, new.id)
    item.provider, item.url, item.secret = new.provider, new.url, new.secret
    item.description, item.scopes = new.description, new.scopes
    tx.put(item, IntegrationItem.pk.does_not_exist(), label=INTEGRATION)
    _claim_url(tx, tenant, new.id, new.url)


def _claim_url(tx: Transaction, tenant: TenantId, integration: str, url: str) -> None:
    claim = _claim(tenant, url)
    claim.integration = integration
    tx.put(claim, UrlItem.pk.does_not_exist(), label=URL)


def change(tx: Transaction, tenant: TenantId, before: Integration, url: str, secret: bytes | None) -> None:
    """Change the credentials of an integration.

    Fails with :data:`INTEGRATION` if it was changed or deleted meanwhile, with :data:`URL` if another one has the URL.
    """
    actions = [
        IntegrationItem.url.set(url),
        IntegrationItem.secret.remove() if secret is None else IntegrationItem.secret.set(secret),
    ]
    # The condition includes the secret: it may be written back as it was read, and may have been encrypted with another
    # key meanwhile.
    same = IntegrationItem.secret.does_not_exist() if before.secret is None else IntegrationItem.secret == before.secret
    tx.update(_ref(tenant, before.id), actions, (IntegrationItem.url == before.url) & same, label=INTEGRATION)
    if url != before.url:
        tx.delete(_claim(tenant, before.url), label="old url")
        _claim_url(tx, tenant, before.id, url)


def require(tx: Transaction, tenant: TenantId, integration: str) -> None:
    """Require that the integration still exists; fails with :data:`INTEGRATION`."""
    tx.check(_ref(tenant, integration), IntegrationItem.pk.exists(), label=INTEGRATION)


def set_secret(tx: Transaction, tenant: TenantId, before: Integration, secret: bytes) -> None:
    """Replace the encrypted secret; fails with :data:`INTEGRATION` if it was changed or deleted meanwhile."""
    same = IntegrationItem.secret == before.secret
    tx.update(_ref(tenant, before.id), [IntegrationItem.secret.set(secret)], same, label=INTEGRATION)


def delete(tx: Transaction, tenant: TenantId, gone: Integration) -> None:
    """Delete an integration; fails with :data:`INTEGRATION` if it was deleted or its URL changed meanwhile."""
    tx.delete(_ref(tenant, gone.id), IntegrationItem.url == gone.url, label=INTEGRATION)
    tx.delete(_claim(tenant, gone.url), label="old url")

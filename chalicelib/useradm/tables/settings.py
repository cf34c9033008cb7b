"""Settings documents of tenants and users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pynamodb.attributes import UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.base import BlobAttribute
from chalicelib.useradm.tables import UseradmItem, own

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

_SORT = "SETTINGS"


class SettingsItem(UseradmItem):
    """A settings document."""

    document = BlobAttribute()
    etag = UnicodeAttribute()


def find(tenant: TenantId, user: str | None) -> tuple[dict[str, Any], str] | None:
    """Settings and their ETag, of a user or (None) of the tenant."""
    item = SettingsItem.find(_key(tenant, user), _SORT)
    return (item.document, item.etag) if item is not None else None


def of_users(tenant: TenantId, users: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The own settings of users who have some, by user; 100 per round trip."""
    wanted = {own(tenant, user): user for user in users}
    found = SettingsItem.batch_get([(pk, _SORT) for pk in wanted]) if wanted else ()
    return {wanted[item.pk]: item.document for item in found}


def save(
    tx: Transaction,
    tenant: TenantId,
    user: str | None,
    document: dict[str, Any],
    etag: str,
    *,
    replacing: frozenset[str] | None,
) -> None:
    """Store settings; fails if the stored version is not one of ``replacing``. None accepts any."""
    item = SettingsItem(_key(tenant, user), _SORT, document=document, etag=etag)
    tx.put(item, None if replacing is None else SettingsItem.etag.is_in(*replacing), label="settings")


def _key(tenant: TenantId, user: str | None) -> str:
    return keys.partition(tenant) if user is None else own(tenant, user)


def delete_own_settings(tx: Transaction, tenant: TenantId, user: str) -> None:
    """Delete a user's own settings with the user."""
    tx.delete(SettingsItem(_key(tenant, user), _SORT))

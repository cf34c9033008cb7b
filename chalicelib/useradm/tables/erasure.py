"""Erasure of a tenant's users and identity providers, with all links to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.storage import erasing, keys
from chalicelib.useradm.rules import Purpose
from chalicelib.useradm.tables import UseradmItem, own, providers, requests, user_key, users

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.storage.keys import TenantId
    from chalicelib.useradm.tables.users import User


def erase(tenant: TenantId) -> int:
    """Erase the users and identity providers of a removed tenant, with all links to them; returns the number of items.

    A user is deleted after everything that is found through it. So is a provider.
    """
    count = 0
    for user in users.of_tenant(tenant):
        count += erasing.rows(UseradmItem, _looked_up(user))
        count += erasing.partition(UseradmItem, own(tenant, user.id))
        count += erasing.rows(UseradmItem, [user_key(user.tenant, user.id)])
    for provider in providers.of_tenant(tenant):
        count += erasing.rows(UseradmItem, [providers.lookup_key(provider.id)])
    count += erasing.partition(UseradmItem, providers.partition(tenant))
    return count + erasing.partition(UseradmItem, keys.partition(tenant))


def _looked_up(user: User) -> Iterator[erasing.Key]:
    """The items by which a user is found without a tenant. A replaced secret expires by itself."""
    yield keys.shared("EMAIL", user.email), "EMAIL"
    for purpose in Purpose:
        pending = requests.find(user.tenant, user.id, purpose)
        if pending is not None and pending.secret is not None:
            yield requests.secret_key(pending.secret)

"""Erasure of a tenant's connections and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.deviceconnect import tables

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def erase(tenant: TenantId) -> int:
    """Erase everything of a removed tenant except objects in the bucket; returns the number of items.

    Its devices must still exist, because states are found through them.
    """
    # Imported here: only the removal of a tenant needs it.
    from chalicelib.devauth import service as devauth

    return tables.erase(tenant, devauth.ids(tenant))

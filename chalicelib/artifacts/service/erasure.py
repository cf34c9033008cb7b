"""Erasure of a tenant's artifacts and releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.artifacts.tables import artifacts, releases, uploads, usage

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def erase(tenant: TenantId) -> int:
    """Erase everything of a removed tenant except objects in the bucket; returns the number of items."""
    return uploads.erase(tenant) + artifacts.erase(tenant) + releases.erase(tenant) + usage.erase(tenant)

"""Erasure of a tenant's integrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.integrations.tables import erasure as tables

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def erase(tenant: TenantId) -> int:
    """Erase everything of a removed tenant; returns the number of items."""
    return tables.erase(tenant)

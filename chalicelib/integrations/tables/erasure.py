"""Erasure of a tenant's integrations, their outboxes, and its events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.integrations.tables import IntegrationsItem
from chalicelib.storage import erasing, keys

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def erase(tenant: TenantId) -> int:
    """Erase the integrations of a removed tenant; returns their number. Outboxes go before owners."""
    count = 0
    integrations = keys.partition(tenant, "INTEGRATIONS")
    for item in IntegrationsItem.query(integrations, consistent_read=True, attributes_to_get=["pk", "sk"]):
        count += erasing.partition(IntegrationsItem, keys.partition(tenant, "L", keys.last_part(item.sk)))
        count += erasing.rows(IntegrationsItem, [(integrations, item.sk)])
    parts = ("URLS", "EVENTS")
    return count + sum(erasing.partition(IntegrationsItem, keys.partition(tenant, part)) for part in parts)

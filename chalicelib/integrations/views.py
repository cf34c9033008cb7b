"""Integrations and their events as the API returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.clock import rfc3339
from chalicelib.integrations import shapes
from chalicelib.integrations.rules.events import MENDERS

if TYPE_CHECKING:
    from chalicelib.integrations.tables.events import StoredEvent
    from chalicelib.integrations.tables.integrations import Integration


def integration(found: Integration) -> shapes.IntegrationShape:
    """An integration, without its secret."""
    http = shapes.Http(found.url, shapes.OMITTED if found.secret else None)
    return shapes.IntegrationShape(
        found.id,
        found.provider,
        shapes.Credentials("http", http),
        found.description,
        [scope for scope in found.scopes if scope in MENDERS],
        [scope for scope in found.scopes if scope not in MENDERS],
    )


def event(found: StoredEvent) -> shapes.EventShape:
    """An event, with the results of its deliveries."""
    return shapes.EventShape(found.place.event, found.kind, found.data, rfc3339(found.time), found.statuses)

"""Writes events in the transaction of the change that they report.

The tenant's control item, which every call has read, lists the integrations and their events. If no integration wants
an event, nothing is read or written. A process learns of a new or removed integration within ``settings.control_cache``
seconds.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec

from chalicelib import clock
from chalicelib.aws import client, queues
from chalicelib.errors import Unavailable
from chalicelib.fleet import control
from chalicelib.integrations.rules import events as rules
from chalicelib.observability import logger
from chalicelib.storage.keys import TenantId

if TYPE_CHECKING:
    from chalicelib.integrations.rules.events import Event
    from chalicelib.storage.transactions import Transaction


def emit(tx: Transaction, tenant: TenantId, event: Event) -> None:
    """Send an event to the integrations that want it, if the transaction is committed.

    Events of one transaction are delivered in the order of these calls. Each costs one write, and one more for each
    integration.
    """
    subscribers = control.get(tenant).subscribers
    if not subscribers:
        return
    integrations = rules.listeners(subscribers, event.kind)
    if not integrations:
        return
    # Imported here because most calls return above.
    from chalicelib.integrations.tables import events, outboxes
    from chalicelib.integrations.tables.events import Place
    from chalicelib.integrations.tables.outboxes import Outbox

    now = clock.now()
    place = Place.new(str(uuid.uuid4()), now, len(tx))
    events.put_new(tx, tenant, place, event.kind, event.data, now)
    for integration in integrations:
        outboxes.put_new(tx, Outbox(tenant, integration), place, event.subject, now)
        tx.then(Wake(tenant, integration))


class Wake(msgspec.Struct, frozen=True):
    """Sends the worker to an integration's outbox. If the message is lost, the schedule sends another."""

    tenant: TenantId
    integration: str

    def __call__(self) -> None:
        """Send it."""
        try:
            queues.send(queues.Queue.DELIVERIES, queues.Delivery(self.tenant, self.integration))
        except (Unavailable, client.AwsError):
            logger.warning(
                "no queue message sent for a delivery; the schedule will deliver it",
                extra={"integration": self.integration},
            )

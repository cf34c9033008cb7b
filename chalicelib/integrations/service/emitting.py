"""Events leave with the change that they tell of: written in its transaction, or not at all.

Who is told stands in the tenant's control item, which every call has at hand: where nobody wants to know, nothing is
read or written. A process that has not noticed a new integration yet (``settings.control_cache``, some seconds) does
not tell it; a removed one may be told for as long.
"""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING

from chalicelib import clock
from chalicelib.aws import client, queues
from chalicelib.errors import Unavailable
from chalicelib.fleet import control
from chalicelib.integrations.rules import events as rules
from chalicelib.observability import logger

if TYPE_CHECKING:
    from chalicelib.integrations.rules.events import Event
    from chalicelib.integrations.tables.lanes import Lane
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction


def emit(tx: Transaction, tenant: TenantId, event: Event) -> None:
    """Tell the integrations that want to know, if the transaction comes through.

    Events of one transaction are told in the order of these calls. Each costs a write, and one more for each
    integration.
    """
    subscribers = control.get(tenant).subscribers
    if not subscribers:
        return
    integrations = rules.listeners(subscribers, event.kind)
    if not integrations:
        return
    # Imported here: most calls end above.
    from chalicelib.integrations.tables import events, lanes
    from chalicelib.integrations.tables.events import Place
    from chalicelib.integrations.tables.lanes import Lane

    now = clock.now()
    place = Place.new(str(uuid.uuid4()), now, len(tx))
    events.put_new(tx, tenant, place, event.kind, event.data, now)
    for integration in integrations:
        lane = Lane(tenant, integration)
        lanes.put_new(tx, lane, place, event.subject, now)
        tx.then(partial(wake, lane))


def wake(lane: Lane) -> None:
    """Send the worker. A message that is not taken is made up for by the schedule."""
    try:
        queues.send(queues.Queue.DELIVERIES, {"tenant": lane.tenant, "integration": lane.integration})
    except (Unavailable, client.AwsError):
        logger.warning("no message for a delivery", extra={"integration": lane.integration})

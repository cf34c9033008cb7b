"""The table ``integrations``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``T#t#INTEGRATIONS`` | ``<integration>`` | an integration |
| ``T#t#URLS`` | ``<sha256 of the URL>`` | the integration with a URL, which is unique |
| ``T#t#EVENTS`` | ``<order>#<event>`` | an event, with the results of its deliveries; expires |
| ``T#t#L#<integration>`` | ``LANE`` | the state of an outbox: its lease, and the time of the next attempt |
| ``T#t#L#<integration>`` | ``W#<order>#<event>`` | an event that waits to be delivered |
| ``T#t#L#<integration>`` | ``D#<order>#<event>`` | an event that was delivered or given up; expires |

``<order>`` is milliseconds and a number within the transaction. Index ``due`` (``storage.due``): waiting events whose
message may have been lost, and outboxes that have something to do then.
"""

from __future__ import annotations

from chalicelib.storage.base import Item, TableName


class IntegrationsItem(Item):
    """Base of the table's items."""

    class Meta:
        """The table."""

        table_name = TableName("integrations")

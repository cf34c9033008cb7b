"""The table ``inventory``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``T#t#D#<device>`` | ``INVENTORY`` | a device with all its attributes |
| ``T#t#CHANGED#<shard>`` | ``<device>`` | a device that changed since the snapshot, in 4 parts by the id's hash; in \
tenants with ``changes_from`` only in part 0 |
| ``T#t#CHANGED#0`` | ``~SNAPSHOT`` | a copy of the pointer, if all rows of a small tenant are in part 0 |
| ``T#t#CHANGED#<part>`` | ``<device>`` | the same in a large tenant, in 256 parts by the id (2 digits) |
| ``T#t`` | ``SNAPSHOT`` | the object that is the snapshot, and the lease for building the next one |
| ``T#t`` | ``SNAPSHOT-DUE`` | exists while the worker has to check whether a new snapshot is due |
| ``T#t#FILTERS`` | ``<filter>`` | a saved filter |
| ``T#t#FILTERNAMES`` | ``<name>`` | the filter with this name |
| ``T#t`` | ``FILTERS`` | number of filters |

Index ``list``: ``T#t``, ``<device>``, or ``T#t#L#<part>`` in large tenants (``fleet.lists``); ``SNAPSHOTS``,
``<tenant>`` while a check is due.
"""

from __future__ import annotations

from chalicelib.storage.base import Item, TableName


class InventoryItem(Item):
    """Base of the table's items."""

    class Meta:
        """The table."""

        table_name = TableName("inventory")

"""The table ``inventory``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``T#t#D#<device>`` | ``INVENTORY`` | a device with all its attributes |
| ``T#t#CHANGED#<shard>`` | ``<device>`` | a device that changed since the snapshot, in 4 parts by the id's hash |
| ``T#t`` | ``SNAPSHOT`` | which object is the snapshot, and who builds the next one |
| ``T#t`` | ``SNAPSHOT-DUE`` | there while someone must look at whether a new snapshot is due |
| ``T#t#FILTERS`` | ``<filter>`` | a saved filter |
| ``T#t#FILTERNAMES`` | ``<name>`` | which filter has this name |
| ``T#t`` | ``FILTERS`` | how many filters there are |

Index ``list``: ``T#t``, ``<device>``; ``SNAPSHOTS``, ``<tenant>`` while a look is due.
"""

from __future__ import annotations

from chalicelib.storage.base import Item, TableName


class InventoryItem(Item):
    """Base of the table's items."""

    class Meta:
        """The table."""

        table_name = TableName("inventory")

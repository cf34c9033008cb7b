"""The table ``devauth``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``T#t#I#<identity hash>`` | ``DEVICE`` | a device with all its auth sets |
| ``T#t#I#<identity hash>`` | ``EXPECTED`` | a preregistered identity |
| ``T#t#I#<identity hash>`` | ``DECOMMISSIONED`` | its device was decommissioned, so rules do not accept it again |
| ``T#t#A#<auth set>`` | ``SET`` | the device of a set |
| ``T#t#K#<key hash>`` | ``CERTIFIED`` | the one identity that a certified key was accepted for |
| ``T#t#COUNTS`` | ``S#0`` .. ``S#7`` | devices by status, all but accepted, in 8 parts by the id's hash |
| ``T#t#COUNTS`` | ``ACCEPTED`` | accepted devices: one number, since the limit is a condition on it |
| ``T#t#COUNTS`` | ``ACCEPTED#<tier>`` | the same for micro and system; the one above is for standard |
| ``T#t#COUNTS#<part>`` | ``PART`` | the same numbers of a part of a large tenant, in addition to those above |
| ``T#t#EXPECTED`` | ``0`` .. ``3`` | number of preregistered identities, in parts by the beginning of their hash |
| ``T#t#FLAGS`` | ``TEST`` | number of test devices |
| ``T#t#FLAGS`` | ``DAY#<date>`` | number of changed flags on a day; expires |
| ``T#t#RULES`` | ``RULES`` | all acceptance rules |
| ``T#t#RULED#<shard>`` | ``<date>#<rule>#<counting>`` | devices that a rule accepted on a day, in 1 or 16 items |

Index ``list``:

| list_pk | list_sk | in this order are shown or found |
|---|---|---|
| ``T#t``; ``T#t#L#<part>`` in large tenants (``fleet.lists``) | ``<status>#<device id>`` | devices |
| ``T#t#EXPECTED#<part>`` | ``<identity hash>`` | preregistered identities, in parts by the beginning of their hash |
| ``T#t#DECOMMISSIONED#<part>``, ``T#t#CERTIFIED#<part>`` | ``<hash>`` | the items of these kinds, for erasure |
"""

from typing import Final

from chalicelib.storage.base import Item, TableName

EXPECTED: Final = "EXPECTED"
DECOMMISSIONED: Final = "DECOMMISSIONED"


class DevauthItem(Item):
    """Base of the table's items."""

    class Meta:
        """The table."""

        table_name = TableName("devauth")

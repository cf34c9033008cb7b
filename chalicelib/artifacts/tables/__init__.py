"""The table ``artifacts``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``T#t#A#<artifact>`` | ``ARTIFACT`` | an artifact |
| ``T#t#R#<name>`` | ``RELEASE`` | a release: what deployments need of all artifacts of one name |
| ``T#t`` | ``USAGE`` | bytes stored, how many artifacts, how many releases |
| ``T#t`` | ``TYPES`` | payload types ever seen |
| ``T#t`` | ``TRUST`` | the public keys whose signatures the tenant trusts |
| ``T#t`` | ``TAGS`` | distinct tags of releases, with the number of releases that have each |
| ``T#t#U#<artifact>`` | ``UPLOAD`` | an object that belongs to no artifact (yet, or any more) |

Index ``list``: ``T#t#ARTIFACTS``, ``<name>#<artifact>``, and ``T#t#RELEASES``, ``<name>``, with the
totals before the first name. Index ``due`` (``storage.due``): uploads that the schedule has to handle.
"""

from __future__ import annotations

from chalicelib.storage.base import Item, TableName


class ArtifactsItem(Item):
    """Base of the table's items."""

    class Meta:
        """The table."""

        table_name = TableName("artifacts")

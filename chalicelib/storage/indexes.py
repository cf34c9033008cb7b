"""The index that lists a table's items in the order of its sort key.

Most tables have exactly one, on ``list_pk`` and ``list_sk``; the class of a listed item says by what it is listed.
Items that wait for a time are in another one: ``storage.due``.
"""

from __future__ import annotations

from typing import TypeVar

from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

M = TypeVar("M", bound=Model)


class ListIndex(GlobalSecondaryIndex[M]):
    """The index, with all attributes of the items."""

    class Meta:
        """The index."""

        index_name = "list"
        projection = AllProjection()

    list_pk = UnicodeAttribute(hash_key=True)
    list_sk = UnicodeAttribute(range_key=True)


class KeyListIndex(GlobalSecondaryIndex[M]):
    """The index, with the items' keys."""

    class Meta:
        """The index."""

        index_name = "list"
        projection = KeysOnlyProjection()

    list_pk = UnicodeAttribute(hash_key=True)
    list_sk = UnicodeAttribute(range_key=True)

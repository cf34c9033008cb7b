"""The index that lists a table's items, in whatever order its sort key gives them.

Most tables have one and only one, by ``list_pk`` and ``list_sk``; the class of an item that is in it says what it is
listed by. What waits for a time is in another: ``storage.due``.
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

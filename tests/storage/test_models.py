"""Several models of one table."""

from __future__ import annotations

from typing import Any

from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.storage.base import Item


class Base(Item):
    class Meta:
        table_name = "several-models"


class Index(GlobalSecondaryIndex[Any]):
    class Meta:
        index_name = "list"
        projection = KeysOnlyProjection()

    list_pk = UnicodeAttribute(hash_key=True)


class Indexed(Base):
    list_pk = UnicodeAttribute()
    by_list = Index()


def test_a_model_has_its_indexes_even_if_its_base_class_was_used_first(seam):
    Base._get_connection()

    assert Indexed._get_connection().get_meta_table().has_index_name("list")
    assert Indexed._get_connection() is Indexed._get_connection()

"""Structs that items are read into have the fields of their models, and equal what the models read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynamodb.attributes import Attribute

from chalicelib.fleet.head import Head
from chalicelib.fleet.tables import DeviceHead
from chalicelib.storage.base import Item
from chalicelib.storage.records import Reader

PAIRS = [(Head, DeviceHead)]
"""Each struct with its model."""

integers = st.integers(0, 10**12)
documents = st.recursive(st.none() | st.booleans() | integers | st.text(), lambda inner: st.lists(inner, max_size=3))
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
VALUES = {
    "UnicodeAttribute": st.text(min_size=1),
    "IntegerAttribute": integers,
    "BooleanAttribute": st.booleans(),
    "TimeAttribute": moments,
    "BlobAttribute": documents.filter(lambda document: document is not None),
}


def values_of(model: type[Item]) -> st.SearchStrategy[dict[str, Any]]:
    """Values of some attributes of a model, and of all those that it requires."""
    attributes: dict[str, Attribute[Any]] = dict(model.get_attributes())
    required = {name for name, each in attributes.items() if not each.null and each.default is None}
    values = {name: VALUES[type(each).__name__] for name, each in attributes.items()}
    return st.fixed_dictionaries(
        {name: values[name] for name in required},
        optional={name: value for name, value in values.items() if name not in required},
    )


@pytest.mark.parametrize(("record", "model"), PAIRS)
def test_the_names_are_those_of_the_model(record: type[msgspec.Struct], model: type[Item]):
    stored = {each.attr_name for each in model.get_attributes().values()}

    assert {field.name for field in msgspec.structs.fields(record)} == stored


@pytest.mark.parametrize(("record", "model"), PAIRS)
@given(data=st.data())
def test_what_is_read_equals_what_the_model_reads(record: type[msgspec.Struct], model: type[Item], data: Any):
    given = data.draw(values_of(model))
    item = model(**given).serialize()

    ours = Reader(record).of(item)

    theirs = model.from_raw_data(item) if hasattr(model, "from_raw_data") else model(**given)
    for field in msgspec.structs.fields(record):
        expected = getattr(theirs, field.name)
        found = getattr(ours, field.name)
        assert found == expected or (found == field.default and expected is None), field.name

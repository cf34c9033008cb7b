"""Structs that items are read into have the fields of their models, and equal what the models read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynamodb.attributes import Attribute, MapAttribute

from chalicelib.deployments.tables.items import CounterItem, CountsItem, DeploymentItem, RowItem
from chalicelib.deployments.tables.records import CounterRecord, DeploymentRecord, RowRecord
from chalicelib.devauth.tables.devices import DeviceItem, DeviceRecord
from chalicelib.fleet.control import ControlRecord
from chalicelib.fleet.head import Head
from chalicelib.fleet.open_deployments import OpenRecord
from chalicelib.fleet.tables import ControlItem, DeviceHead, OpenPageItem
from chalicelib.inventory.tables import changes, devices
from chalicelib.inventory.tables.changes import ChangeItem
from chalicelib.inventory.tables.snapshots import CopyItem
from chalicelib.storage import keys
from chalicelib.storage.base import Item
from chalicelib.storage.records import Range, Reader
from chalicelib.useradm.tables.tokens import AccessRecord, TokenItem
from chalicelib.useradm.tables.users import UserItem
from tests.support.probe import counted

PAIRS: list[Any] = [
    pytest.param(Head, DeviceHead, id="head"),
    pytest.param(DeviceRecord, DeviceItem, id="devauth"),
    pytest.param(devices.DeviceRecord, devices.DeviceItem, id="inventory"),
    pytest.param(ControlRecord, ControlItem, id="control"),
]
"""Each struct with its model."""
PARTS: list[tuple[type[msgspec.Struct], list[type[Item]]]] = [
    (changes.Row, [changes.ChangeItem, CopyItem]),
    (AccessRecord, [TokenItem, UserItem]),
    (DeploymentRecord, [DeploymentItem]),
    (CounterRecord, [CounterItem, CountsItem]),
    (OpenRecord, [ControlItem, OpenPageItem]),
    (RowRecord, [RowItem]),
]
"""Structs that contain some attributes of one or several models."""

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
    "MapAttribute": st.dictionaries(st.text(min_size=1), integers | st.tuples(integers, st.text(min_size=1)).map(list)),
    "BlobAttribute": documents.filter(lambda document: document is not None),
    "BinaryAttribute": st.binary(min_size=1),
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


def with_texts(numbers: dict[str, Any]) -> dict[str, tuple[int, str]]:
    """Numbers, some of them in a list with a text, as they are read."""
    return {name: (tuple(each) if isinstance(each, list) else (each, "")) for name, each in numbers.items()}


@pytest.mark.parametrize(("record", "model"), PAIRS)
@given(data=st.data())
def test_what_is_read_equals_what_the_model_reads(record: type[msgspec.Struct], model: type[Item], data: Any):
    given = data.draw(values_of(model))
    item = model(**given).serialize()

    ours = Reader(record).of(item)

    theirs = model.from_raw_data(item) if hasattr(model, "from_raw_data") else model(**given)
    defaults = record("", "")
    for name in record.__struct_fields__:
        expected = getattr(theirs, name)
        if isinstance(expected, MapAttribute):
            expected = with_texts(expected.as_dict())
        found = getattr(ours, name)
        assert found == expected or (found == getattr(defaults, name) and not expected), name


@pytest.mark.parametrize(("record", "models"), PARTS)
@given(data=st.data())
def test_what_is_read_of_some_attributes_equals_what_the_models_read(
    record: type[msgspec.Struct], models: list[type[Item]], data: Any
):
    names = {field.name for field in msgspec.structs.fields(record)}
    assert names <= {each.attr_name for model in models for each in model.get_attributes().values()}
    for model in models:
        values = {name: VALUES.get(type(each).__name__) for name, each in dict(model.get_attributes()).items()}
        stored = {name: each.attr_name for name, each in dict(model.get_attributes()).items()}
        given = {
            name: data.draw(value) for name, value in values.items() if stored[name] in names and value is not None
        }

        ours = Reader(record).of(model(**given).serialize(null_check=False))

        expected = {name: with_texts(value) if isinstance(value, dict) else value for name, value in given.items()}
        assert {name: getattr(ours, stored[name]) for name in given} == expected


@pytest.mark.parametrize("limit", [None, 1, 4, 5, 6, 50])
@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("within", [None, Range("begins", "b"), Range("<", "b1"), Range(">", "b1")])
def test_queries(tenant, limit: int | None, within: Range | None, *, forward: bool):
    pk, table = keys.partition(tenant.id, "CHANGED", "0"), keys.table("inventory")
    names = ["a", "b0", "b1", "b2", "c"]
    for name in names:
        ChangeItem(pk, name, stamp=name).save()

    found = Reader(changes.Row).query(table, pk, within, forward=forward, limit=limit)

    tests: dict[str, Any] = {"begins": str.startswith, "<": str.__lt__, ">": str.__gt__}
    expected = [name for name in names if within is None or tests[within.operator](name, within.text)]
    assert [row.sk for row in found] == (expected if forward else expected[::-1])[:limit]


def test_a_query_reads_on_where_an_answer_ends(tenant):
    pk, table = keys.partition(tenant.id, "CHANGED", "0"), keys.table("inventory")
    for name in "abcdefg":
        ChangeItem(pk, name, stamp=name * 300_000).save()

    for limit, pages in ((None, 3), (5, 2), (3, 1)):
        with counted() as cost:
            found = list(Reader(changes.Row).query(table, pk, limit=limit))
        assert [row.sk for row in found] == list("abcdefg")[:limit]
        assert cost.calls == ["Query"] * pages


def test_reads_of_many_items(tenant):
    pk, table = keys.partition(tenant.id, "CHANGED", "0"), keys.table("inventory")
    for name in "abc":
        ChangeItem(pk, name, stamp=name).save()

    wanted = [(pk, name) for name in "abcd"]
    for recent, units in ((False, 3), (True, 1.5)):
        with counted() as cost:
            found = Reader(changes.Row).find_many(table, wanted, recent=recent)
        assert sorted(row.stamp for row in found) == ["a", "b", "c"]
        assert cost.read_units == units

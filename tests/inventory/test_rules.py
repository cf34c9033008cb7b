"""Rules of attributes and their order."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.inventory.rules import attributes, finding, matching, texts
from chalicelib.inventory.rules.device import Device
from chalicelib.inventory.rules.matching import Predicate, Query, SortKey
from chalicelib.inventory.shapes import AttributeInput


def select(devices: Iterable[Device], query: Query) -> list[str]:
    """The ids of the devices that a query finds."""
    return finding.find(None, {each.id: each for each in devices}, query, 0, 1000)[0]


NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCALARS = st.text("ab1", max_size=3) | st.integers(-3, 3) | st.floats(-3, 3)
VALUES = SCALARS | st.lists(st.text("ab1", max_size=3), max_size=3) | st.lists(st.integers(-3, 3), max_size=3)


def device(name: str, value: Any = None) -> Device:
    scope = {} if value is None else {"x": [attributes.value_of(value)]}
    return Device(name, {"inventory": scope}, "accepted", NOW, NOW)


def holds(operator: str, value: Any, wanted: Any) -> bool:
    operand = matching.options(wanted) if operator in {"$in", "$nin"} else wanted
    query = Query((Predicate("inventory", "x", operator, operand),))
    return bool(select([device("d", value)], query))


@given(st.none() | VALUES, SCALARS)
def test_opposite_operators_find_complementary_devices(value, wanted):
    assert holds("$ne", value, wanted) is not holds("$eq", value, wanted)
    assert holds("$nin", value, [wanted]) is holds("$ne", value, wanted)
    assert holds("$in", value, [wanted]) is holds("$eq", value, wanted)
    assert holds("$lte", value, wanted) is (holds("$lt", value, wanted) or holds("$eq", value, wanted))
    assert holds("$gte", value, wanted) is (holds("$gt", value, wanted) or holds("$eq", value, wanted))
    assert holds("$ltne", value, wanted) is (holds("$lt", value, wanted) or value is None)
    assert holds("$exists", value, True) is (value is not None)


@given(st.lists(st.none() | VALUES, max_size=8), st.booleans())
def test_values_of_any_types_can_be_sorted(values, descending):
    devices = [device(f"{number:02d}", value) for number, value in enumerate(values)]
    query = Query(sort=(SortKey("inventory", "x", descending),))
    found = select(devices, query)
    assert sorted(found) == [item.id for item in devices]
    assert select(list(reversed(devices)), query) == found


@given(st.dictionaries(st.text("ab", min_size=1, max_size=2), VALUES, max_size=4), st.randoms(use_true_random=False))
def test_a_fingerprint_depends_on_content_but_not_on_order(report, random):
    items = [AttributeInput(name, value) for name, value in report.items()]
    shuffled = list(items)
    random.shuffle(shuffled)

    def seen(given_items: list[AttributeInput], method: str = "PUT", day: str = "2026-01-01") -> str:
        return attributes.fingerprint(method, day, given_items)

    assert seen(shuffled) == seen(items)
    assert seen(items, "PATCH") != seen(items)
    assert seen(items, day="2026-01-02") != seen(items)
    assert seen([*items, AttributeInput("c", "new")]) != seen(items)
    for number, item in enumerate(items):
        other = [*items[:number], AttributeInput(item.name, "changed"), *items[number + 1 :]]
        assert (seen(other) == seen(items)) is (item.value == "changed")


@given(st.text("aZß1-:Σ", min_size=1, max_size=9), st.integers(0, 8), st.integers(1, 9))
def test_any_part_of_a_value_finds_the_device(value, start, length):
    part = value[start : start + length]
    assume(part)
    letters = sum(map(str.isalnum, texts.folded(part)))
    begins = start == 0 or not value[start - 1].isalnum()
    assume(letters >= 3 or (letters and begins))
    devices = [device("other", "none"), device("this", value)]
    assert select(devices, Query(text=part))[0] == "this"
    assert select(devices, Query(text=f"{part.upper()} {part}")) == select(devices, Query(text=part))
    assert select(devices, Query(text=f"{part} missing")) == []


def test_better_matches_come_first():
    devices = [device("1", "underway"), device("2", "wayland"), device("3", "a way"), device("4", "gateways")]
    assert select(devices, Query(text="way")) == ["3", "2", "1", "4"]


def test_times_are_parsed_strictly():
    assert matching.parse_time("2026-01-01T01:00:00.123456789+01:00") == NOW.replace(microsecond=123000)
    for text in ("2026-01-01", "2026-01-01T00:00:00", "soon", "2026-13-01T00:00:00Z", 5, None):
        assert matching.parse_time(text) is None

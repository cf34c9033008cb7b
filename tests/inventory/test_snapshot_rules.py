"""A search in a snapshot plus later changes gives the same result as reading every device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.inventory.rules import attributes, building, columns, finding, matching, patterns, snapshot
from chalicelib.inventory.rules.device import Device
from chalicelib.inventory.rules.matching import Predicate, Query, SortKey
from chalicelib.inventory.rules.snapshot import Snapshot

START = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = st.integers(0, 3).map(lambda minutes: START + timedelta(minutes=minutes, milliseconds=7 * minutes))
WORDS = st.sampled_from(["Hall", "hall 7", "a-b", "ab", "b", "Σίσυφος", 'say "b"', "line\nb", ""])
NUMBERS = st.integers(-2, 2) | st.sampled_from([0.5, 2.0**60, 2**60 + 1, 89490200001234567890, 3])
VALUES = WORDS | NUMBERS | st.lists(WORDS, max_size=2) | st.lists(NUMBERS, max_size=2)
NAMES = st.sampled_from(["x", "y", "id"])
IDS = st.sampled_from(["a", "b", "c", "d", "ab", "Z"])
PLACES = [
    ("inventory", "x"),
    ("inventory", "y"),
    ("tags", "x"),
    ("identity", "x"),
    ("identity", "id"),
    ("identity", "status"),
    ("monitor", "alerts"),
    ("system", "group"),
    ("system", "created_ts"),
    ("system", "check_in_time"),
    ("system", "tier"),
    ("strange", "x"),
]


@st.composite
def devices(draw: st.DrawFn) -> Device:
    """A device."""
    kept: dict[str, dict[str, list[Any]]] = {
        scope: {name: [attributes.value_of(value)] for name, value in draw(st.dictionaries(NAMES, VALUES)).items()}
        for scope in ("inventory", "tags")
        if draw(st.booleans())
    }
    kept["identity"] = attributes.from_identity(draw(st.dictionaries(NAMES, VALUES | st.booleans())))
    kept["monitor"] = {"alerts": [draw(st.booleans())]} if draw(st.booleans()) else {}
    return Device(
        draw(IDS),
        kept,
        draw(st.sampled_from(["accepted", "pending"])),
        draw(TIMES),
        draw(TIMES),
        group=draw(st.none() | st.sampled_from(["g", "hall"])),
        check_in=draw(st.none() | TIMES),
        tier=draw(st.sampled_from(["standard", "micro"])),
    )


FLEETS = st.lists(devices(), max_size=6).map(lambda found: {each.id: each for each in found})
CHANGES = st.dictionaries(IDS, st.none() | devices(), max_size=3).map(
    lambda found: {each: device and replace(device, id=each) for each, device in found.items()}
)
SCALARS = VALUES | st.booleans() | TIMES.map(lambda time: time.isoformat().replace("+00:00", "Z")) | IDS


@st.composite
def predicates(draw: st.DrawFn) -> Predicate:
    """A condition that clients may send."""
    place, operator = draw(st.sampled_from(PLACES)), draw(st.sampled_from(sorted(matching.OPERATORS)))
    value: Any = draw(SCALARS | TIMES)
    if operator in {"$in", "$nin"}:
        value = matching.options(draw(st.lists(SCALARS | TIMES, max_size=4)))
    elif operator == "$exists":
        value = draw(st.booleans())
    elif operator == "$regex":
        value = patterns.of_filter(draw(st.sampled_from(["a", "/b$/", "/HALL/i", "[ab]+"])))
    elif operator == matching.PREFIX:
        value = draw(WORDS)
    return Predicate(*place, operator, value)


SORTS = st.builds(
    lambda place, down: SortKey(place[0], place[1], descending=down), st.sampled_from(PLACES), st.booleans()
)
QUERIES = st.builds(
    Query,
    st.lists(predicates(), max_size=3).map(tuple),
    st.lists(SORTS, max_size=3).map(tuple),
    st.none() | st.frozensets(IDS, max_size=4),
    st.just("")
    | st.sampled_from(["hall", "b hall", "σίσυφος", "ΣΊΣ", "7", "ab a", "hall-7", "all", "line b", "_", "accepted"]),
)


def opened(fleet: Mapping[str, Device | None], old: Snapshot | None = None) -> Snapshot:
    """The snapshot of a fleet."""
    size, data = building.build(old, fleet)
    return snapshot.opened(size, lambda start, stop: data[start:stop])


@given(FLEETS, CHANGES, QUERIES, st.integers(0, 3), st.integers(0, 4))
def test_searches(fleet, changed, query, start, size):
    stored = opened(fleet)
    now = {each: device for each, device in (fleet | changed).items() if device is not None}
    found = finding.find(stored, changed, query, start, start + size)
    assert found == finding.find(None, now, query, start, start + size)
    assert finding.find(stored, changed, query, 0, 0) == ([], found[1])


@given(FLEETS, CHANGES, st.none() | st.just(frozenset({"g"})))
def test_counts(fleet, changed, groups):
    query = Query().within(groups)
    now = {each: device for each, device in (fleet | changed).items() if device is not None}
    stored = opened(fleet)
    places = finding.count(None, now, query)
    assert finding.count(stored, changed, query) == places
    for place in {*places, ("inventory", "nobody has this")}:
        assert finding.values(stored, changed, query, place) == finding.values(None, now, query, place)


@given(FLEETS, CHANGES, CHANGES, QUERIES)
def test_building_a_snapshot_from_another(fleet, first, second, query):
    built = opened(second, opened(first, opened(fleet)))
    now = {each: device for each, device in (fleet | first | second).items() if device is not None}
    assert built.ids == sorted(now)
    assert finding.find(built, {}, query, 0, 9) == finding.find(None, now, query, 0, 9)
    assert finding.count(built, {}, Query()) == finding.count(None, now, Query())


def device(number: int, **more: Any) -> Device:
    return Device(f"d{number:05}", {"inventory": {name: [value] for name, value in more.items()}}, "x", START, START)


def test_columns_and_attributes_of_few_devices():
    fleet = {
        each.id: each
        for each in (
            device(number, serial=f"{number:05}", site=number % 300, **({"odd": number} if number % 1000 == 7 else {}))
            for number in range(2000)
        )
    }
    stored = opened(fleet)
    assert [stored.column("inventory", name).codes.__class__.__name__ for name in ("serial", "site", "odd")] == [
        "array",
        "array",
        "bytes",
    ]
    assert not stored.is_column(("inventory", "odd"))
    rare = Query((Predicate("inventory", "odd", "$exists", True),))
    assert finding.find(stored, {}, rare, 0, 9) == (["d00007", "d01007"], 2)
    # An attribute becomes a column when more devices have it, and stops being one with fewer.
    more = {each.id: each for each in (device(number, odd="x") for number in range(500))}
    grown = opened(more, stored)
    assert grown.is_column(("inventory", "odd"))
    assert finding.find(grown, {}, rare, 0, 2) == (["d00000", "d00001"], 501)
    less = {each.id: each for each in (device(number) for number in range(500))}
    shrunk = opened(less, grown)
    assert not shrunk.is_column(("inventory", "odd"))
    assert finding.find(shrunk, {}, rare, 0, 9) == (["d01007"], 1)
    gone = opened(dict.fromkeys(fleet, None), shrunk)
    assert (gone.devices, gone.places) == (0, [])


def test_the_number_of_attribute_sets_is_limited(monkeypatch):
    monkeypatch.setattr(building, "_SHAPES", 2)
    fleet = {each.id: each for each in (device(number, **{f"n{number // 4}": 1}) for number in range(12))}
    counts = finding.count(opened(fleet), {}, Query())
    assert sorted(count for (scope, _), count in counts.items() if scope == "inventory") == [4, 4]
    assert isinstance(counts, Counter)


def test_only_needed_columns_are_read():
    fleet = {each.id: each for each in (device(number, a=number, b=f"{number}", c=1) for number in range(100))}
    size, data = building.build(None, fleet)
    read = []

    def reader(start: int, stop: int) -> bytes:
        read.append(stop - start)
        return data[start:stop]

    stored = snapshot.opened(size, reader)
    query = Query((Predicate("inventory", "a", "$lt", 50),), (SortKey("inventory", "b", descending=False),))
    for _ in range(2):
        assert finding.find(stored, {}, query, 0, 1)[1] == 50
    # The directory, two columns, the ids; each once.
    assert len(read) == 4
    assert sum(read) < len(data)


def test_stored_values_are_unchanged():
    values = [None, 3, "3", 2.5, ["b", "a"], [], "", 2**60, -1]
    column = columns.unpack(*columns.pack([columns.key(value) for value in values], times=False))
    assert [column.value(row) for row in range(len(values))] == values
    times = [None, START, START + timedelta(milliseconds=1)]
    column = columns.unpack(*columns.pack([columns.key(time) for time in times], times=True))
    assert [column.value(row) for row in range(3)] == times

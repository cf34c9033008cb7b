"""Rules of deployments, with generated inputs."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.deployments.rules import polling, selection, statistics
from chalicelib.deployments.rules.statistics import Counts
from chalicelib.deployments.rules.statuses import ACTIVE, FINAL, ORDER, Status, effective, parse_filter, stored_for
from chalicelib.deployments.rules.targets import Targets
from chalicelib.errors import BadRequest

ids = st.one_of(st.uuids().map(str), st.text(min_size=1, max_size=40), st.uuids().map(lambda each: each.hex))


@given(st.lists(ids, max_size=60), st.lists(ids, max_size=20))
def test_targets_contain_exactly_the_given_ids(inside: list[str], asked: list[str]) -> None:
    targets = Targets.from_bytes(Targets.of(inside).to_bytes())

    assert sorted(targets) == sorted(set(inside))
    assert len(targets) == len(set(inside))
    for device_id in inside + asked:
        assert (device_id in targets) == (device_id in inside)


def test_a_uuid_in_another_format_is_another_target() -> None:
    plain = str(uuid.uuid4())
    targets = Targets.of([plain.upper(), "{" + plain + "}"])

    assert plain not in targets
    assert plain.upper() in targets


@dataclass(frozen=True)
class Candidate:
    id: str
    device_types: tuple[str, ...]
    size: int
    depends: dict[str, tuple[str, ...]] = field(default_factory=dict)


names = st.sampled_from(["a", "b", "c"])
things = st.builds(
    Candidate,
    id=st.uuids().map(str),
    device_types=st.lists(names, min_size=1, max_size=3).map(tuple),
    size=st.integers(1, 5),
    depends=st.dictionaries(st.sampled_from(["k", "l"]), st.lists(names, min_size=1, max_size=2).map(tuple)),
)


@given(st.lists(things, max_size=8), names, st.dictionaries(st.sampled_from(["k", "l"]), names))
def test_the_smallest_artifact_that_fits_is_chosen(some: list[Candidate], kind: str, provides: dict[str, str]) -> None:
    chosen = selection.choose(some, {"device_type": kind, **provides})

    fitting = [
        each
        for each in some
        if kind in each.device_types and all(provides.get(key) in values for key, values in each.depends.items())
    ]
    assert (chosen is None) == (not fitting)
    if chosen is not None:
        assert chosen in fitting
        assert chosen.size == min(each.size for each in fitting)


@given(
    st.integers(0, 20),
    st.lists(st.integers(1, 40), unique=True, max_size=10),
    st.integers(0, 10),
)
def test_waiting_deployments_are_newer_than_the_last_finished_and_sorted_by_age(
    decided: int, sequences: list[int], split: int
) -> None:
    pairs = [(sequence, f"d{sequence}") for sequence in sequences]

    found = polling.waiting(decided, pairs[:split], pairs[split:])

    assert [each.sequence for each in found] == sorted(each for each in sequences if each > decided)
    assert all(each.on_head == ((each.sequence, each.deployment) in pairs[:split]) for each in found)


counts = st.dictionaries(st.sampled_from(list(Status)), st.integers(0, 9))


@given(counts, st.integers(0, 20), st.booleans())
def test_statistics_add_up_to_the_targets_unless_aborted(
    by_status: dict[Status, int], silent: int, aborted: bool
) -> None:
    rows = sum(by_status.values())
    numbers = statistics.shown(Counts(rows, by_status, 0), targets=rows + silent, aborted=aborted)

    assert set(numbers) == {str(status) for status in Status}
    assert sum(numbers.values()) == (rows if aborted else rows + silent)
    if aborted:
        assert not any(numbers[status] for status in ACTIVE)


def test_the_status_follows_the_documented_table() -> None:
    def status(**by_status: int) -> str:
        found = {Status(name): count for name, count in by_status.items()}
        return statistics.status(Counts(sum(found.values()), found, 0), finished=False, scheduled=False)

    assert status() == "pending"
    assert status(pending=1) == "pending"
    assert status(pending=1, downloading=1) == "inprogress"
    assert status(success=1) == "inprogress"
    assert statistics.status(Counts(0, {}, 0), finished=True, scheduled=False) == "finished"


def test_every_status_is_active_or_final_and_in_the_order() -> None:
    assert set(Status) == ACTIVE | FINAL
    assert not ACTIVE & FINAL
    assert sorted(ORDER) == sorted(Status)


@given(st.sets(st.sampled_from(list(Status))).map(frozenset), st.booleans(), st.sampled_from(list(Status)))
def test_filters_use_the_shown_status(wanted: frozenset[Status], aborted: bool, stored: Status) -> None:
    assert (stored in stored_for(wanted, aborted=aborted)) == (effective(stored, aborted=aborted) in wanted)


def test_filters_accept_statuses_and_groups_of_them() -> None:
    assert parse_filter("finished") == FINAL
    assert parse_filter("active") == ACTIVE
    assert parse_filter("pause") == frozenset(status for status in Status if status.startswith("pause_"))
    assert parse_filter("success") == frozenset({Status.SUCCESS})
    assert parse_filter("nonsense") is None


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8)))
def test_the_order_of_device_provides_makes_no_difference(provides: dict[str, str]) -> None:
    turned = dict(reversed(provides.items()))

    assert polling.request_hash(provides) == polling.request_hash(turned)
    assert polling.request_hash(provides) != polling.request_hash({**provides, "more": "x" * 9})


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"device_type": "a"},
        {"device_type": "a", "artifact_name": ""},
        {"device_type": "a", "artifact_name": 1},
        {"device_type": "a" * 4097, "artifact_name": "b"},
        {"device_type": "a", "artifact_name": "b", "x": ["y"]},
        {"device_type": "a", "artifact_name": "b", **{str(number): "" for number in range(200)}},
    ],
)
def test_invalid_device_provides_are_refused(said: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        polling.read_provides(said)

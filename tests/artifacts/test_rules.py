"""Pure rules of artifacts and releases."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.artifacts import rules
from chalicelib.artifacts.rules import Candidate, Pattern
from chalicelib.errors import BadRequest, TooLarge, Unprocessable
from chalicelib.limits import UPDATE_TYPES

KEYS = ("slot", "region", "tier")
VALUES = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True).map(tuple)


def candidate(
    name: str = "app", device_types: tuple[str, ...] = ("pi",), depends: dict[str, tuple[str, ...]] | None = None
) -> Candidate:
    return Candidate("id", name, device_types, depends or {}, 1, "key", None)


CANDIDATES = st.builds(
    candidate,
    st.sampled_from(["app", "other"]),
    VALUES,
    st.dictionaries(st.sampled_from(KEYS), VALUES),
)


def expanded(one: Candidate) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """All combinations of values that an artifact covers."""
    lists = {**one.depends, "device_type": one.device_types}
    return {(one.name, frozenset(zip(lists, combination, strict=True))) for combination in product(*lists.values())}


@given(st.lists(CANDIDATES, max_size=4), CANDIDATES)
def test_artifacts_conflict_if_they_share_a_combination(existing: list[Candidate], new: Candidate) -> None:
    taken = set().union(*map(expanded, existing))

    found = rules.conflict(existing, new)

    assert (found is not None) == bool(taken & expanded(new))
    if found is not None:
        shared = dict(found)
        named = (shared.pop("artifact_name"), frozenset(shared.items()))
        assert named in taken & expanded(new)


def test_comparing_huge_lists_is_fast() -> None:
    many = {key: tuple(f"{key}-{number}" for number in range(200)) for key in KEYS}

    assert rules.conflict([candidate(depends=many)], candidate(depends=many)) is not None
    assert rules.conflict([candidate(depends=many)], candidate(depends={**many, "tier": ("none",)})) is None


@pytest.mark.parametrize("text", ["", "42", "g" * 36, "0c13a0e6-6b63-475d-8260-ee42a590e8f", "{" + "0" * 32 + "}"])
def test_an_id_is_a_uuid(text: str) -> None:
    with pytest.raises(BadRequest, match="ID is not a valid UUID"):
        rules.check_id(text)


def test_upload_fields_have_defaults() -> None:
    assert rules.read_fields({}) == rules.UploadFields()
    assert rules.read_fields({"size": "0", "artifact_id": "", "description": ""}) == rules.UploadFields()
    assert rules.read_fields({"size": " 12 "}).size == 12
    for size in ("1.5", "0x10", "1_000", "٣", "9" * 30):
        with pytest.raises(BadRequest):
            rules.read_fields({"size": size})
    with pytest.raises(TooLarge):
        rules.read_fields({"size": "9" * 15})


def test_the_number_of_artifacts_of_a_release_is_limited() -> None:
    rules.check_release_takes([candidate()] * 99)
    with pytest.raises(Unprocessable):
        rules.check_release_takes([candidate()] * 100)


def test_the_number_of_remembered_device_types_is_limited() -> None:
    assert rules.remembered_types({"a"}, ["a", "b", "", "x" * 257, "é" * 129]) == {"b"}
    full = {str(number) for number in range(UPDATE_TYPES - 1)}
    assert rules.remembered_types(full, ["b", "a", "c"]) == {"a"}
    assert rules.remembered_types({*full, "z"}, ["b"]) == set()


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("foo", Pattern("foo", prefix=False)),
        ("foo*", Pattern("foo", prefix=True)),
        (r"foo\*", Pattern("foo*", prefix=False)),
        (r"f\*o*", Pattern("f*o", prefix=True)),
        ("f*o", Pattern("f*o", prefix=False)),
        ("*", Pattern("", prefix=True)),
    ],
)
def test_patterns(text: str, pattern: Pattern) -> None:
    assert rules.read_pattern(text) == pattern


TAG_LISTS = st.lists(st.lists(st.sampled_from("abcde"), unique=True, max_size=4), min_size=2, max_size=6)


@given(TAG_LISTS)
def test_updated_tag_counts_equal_a_recount(history: list[list[str]]) -> None:
    """Two releases change their tags alternately."""
    counts: dict[str, int] = {}
    current: list[list[str]] = [[], []]
    for turn, tags in enumerate(history):
        counts = rules.recount_tags(counts, current[turn % 2], tags)
        current[turn % 2] = tags

    everything = current[0] + current[1]
    assert counts == {tag: everything.count(tag) for tag in set(everything)}


class Counted(str):
    """A string that counts how often it is compared."""

    __slots__ = ()
    comparisons = 0

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@pytest.mark.parametrize("number", [200, 800])
def test_the_number_of_comparisons_is_the_number_of_values(number: int) -> None:
    def values(what: str) -> tuple[str, ...]:
        return tuple(Counted(f"{what}-{each}") for each in range(number))

    existing = [candidate(device_types=values("old"), depends={"slot": values("a")})]
    new = candidate(device_types=values("new"), depends={"slot": values("a")})
    Counted.comparisons = 0

    assert rules.conflict(existing, new) is None
    assert Counted.comparisons <= 4 * number

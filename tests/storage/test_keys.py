"""Keys: separate for each tenant, unique, and within DynamoDB's limits."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from chalicelib.storage import keys
from chalicelib.storage.keys import TenantId

PARTITION_MAX = 2048
SORT_MAX = 1024

# Ids with the separator, the escape and its hex digits, alone and at the length at which parts are cut.
pieces = st.sampled_from(["#", "%", "%23", "%25", "%~", "T", "a", "é", "🚀", "\0", "x" * 199, "é" * 100, "#" * 100])
parts = st.one_of(st.text(), st.lists(pieces, max_size=8).map("".join), st.text(min_size=190, max_size=800))
tenants = parts.map(TenantId)


@st.composite
def similar_parts(draw: st.DrawFn) -> tuple[str, str]:
    """Two parts, one often a prefix of the other or different only at the end."""
    one = draw(parts)
    return one, draw(parts | parts.map(lambda more: one + more) | st.just(one[: len(one) // 2]))


@given(similar_parts(), st.lists(parts, max_size=3), st.lists(parts, max_size=2))
@example(("a", "a#D"), ["D"], [])
@example(("a", "a%23D"), ["#D"], [])
@example(("", "#"), ["", ""], [""])
def test_keys_of_a_tenant_do_not_begin_with_the_prefix_of_another(
    pair: tuple[str, str], of_a: list[str], of_b: list[str]
):
    a, b = map(TenantId, pair)
    assume(a != b)

    key, prefix = keys.partition(a, *of_a), keys.partition(b)

    assert key != prefix
    assert not key.startswith(prefix + "#")
    assert key != keys.partition(b, *of_b)


@given(st.lists(parts, max_size=3), st.lists(parts, max_size=3), tenants)
@example(["a", "b"], ["a#b"], TenantId("t"))
@example(["a%23b"], ["a#b"], TenantId("t"))
@example([""], ["", ""], TenantId("t"))
def test_different_parts_make_different_keys(one: list[str], other: list[str], tenant: TenantId):
    assume(one != other)

    assert keys.partition(tenant, *one) != keys.partition(tenant, *other)
    if one and other:  # a sort key has parts
        assert keys.sort(*one) != keys.sort(*other)
        assert keys.shared("KIND", *one) != keys.shared("KIND", *other)


@given(similar_parts())
@example(("x" * 5000, "x" * 5000 + "y"))
@example(("#" * 200, "#" * 201))
@example(("é" * 301, "é" * 302))
def test_long_names_stay_distinct(pair: tuple[str, str]):
    one, other = pair
    assume(one != other)

    assert keys.sort(one) != keys.sort(other)
    assert keys.sort(one, "id") != keys.sort(other, "id")


@given(parts | st.sampled_from(["x" * 10**5, "#" * 10**5, "🚀" * 10**5]), st.uuids(), st.integers(0, 10**14))
def test_keys_fit_dynamodb(name: str, own: object, position: int):
    assert len(keys.partition(TenantId(str(own)), "G", name, name).encode()) <= PARTITION_MAX
    assert len(keys.shared("KIND", name, name).encode()) <= PARTITION_MAX
    assert len(keys.sort(keys.number(position), name, str(own)).encode()) <= SORT_MAX


@given(parts, parts)
def test_shared_keys_belong_to_no_tenant(one: str, other: str):
    assert not keys.shared("EMAIL", one, other).startswith("T#")


def test_the_key_kind_of_tenants_is_reserved():
    with pytest.raises(ValueError, match="tenants"):
        keys.shared("T", "a")


@given(st.lists(parts, max_size=2), st.text(max_size=60))
@example([], "%23")
@example([], "#%25#")
def test_the_last_part_can_be_read_from_a_key(before: list[str], own: str):
    assert keys.last_part(keys.sort(*before, own)) == own


@given(st.integers(0, 10**14), st.integers(0, 10**14), parts, parts)
def test_numbers_sort_as_numbers(one: int, other: int, after: str, also: str):
    assume(one != other)

    assert (keys.number(one) < keys.number(other)) == (one < other)
    assert (keys.sort(keys.number(one), after) < keys.sort(keys.number(other), also)) == (one < other)


@given(st.text(max_size=50), st.text(max_size=50))
def test_a_prefix_of_a_short_name_is_a_prefix_of_its_key(name: str, more: str):
    """This allows searching names by prefix."""
    assert keys.sort(name + more).startswith(keys.sort(name))

"""The cache of a process has a maximum size, and the most recently used values are kept longest."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.cache import Cache, Store, forget_all

MOST = 10
STEPS = st.lists(st.tuples(st.sampled_from(["get", "put", "forget"]), st.sampled_from("abcdef"), st.integers(1, 12)))


@given(STEPS)
def test_the_most_recently_used_values_are_kept_within_the_maximum_weight(steps: list[tuple[str, str, int]]) -> None:
    store: Store[str, int] = Store(MOST, weigh=lambda value: value)
    kept: OrderedDict[str, int] = OrderedDict()
    for step, key, value in steps:
        if step == "put":
            store.put(key, value)
            kept.pop(key, None)
            kept[key] = value
            while sum(kept.values()) > MOST:
                kept.popitem(last=False)
        elif step == "forget":
            store.forget(key)
            kept.pop(key, None)
        else:
            assert store.get(key) == kept.get(key)
            if key in kept:
                kept.move_to_end(key)
        assert len(store) == len(kept)
    assert {key: store.get(key) for key in "abcdef"} == {key: kept.get(key) for key in "abcdef"}


def test_a_value_counts_with_its_weight_at_the_time_of_storing() -> None:
    store: Store[str, list[int]] = Store(2, weigh=len)
    growing = [0]
    store.put("growing", growing)
    growing.append(1)
    store.put("another", [0])
    assert len(store) == 2
    store.put("growing", growing)
    assert (store.get("another"), store.get("growing")) == (None, growing)


def test_everything_can_be_forgotten_at_once() -> None:
    cache: Cache[str, int] = Cache()
    cache.put("one", 1)

    forget_all()

    assert cache.get("one", lambda: 2, life=60) == 2

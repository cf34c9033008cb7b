"""The model of hot keys against sums and formulas that are known."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.heat import page, traffic
from infra.heat.conflicts import Rules, kinds, simulate
from infra.heat.model import Load, loads, spread
from infra.heat.scenarios import SCENARIOS, Fleet, Scenario
from infra.heat.traffic import SIZES, Access, Recording

ONCE = Rules(hold=(0.01, 0.01), attempts=1)


def recording(*accesses: Access, **parts: list[int]) -> Recording:
    return Recording(parts, {"call": list(accesses), "control item": []})


def at(rate: float) -> Scenario:
    return Scenario("calls", lambda _: {"call": rate})


def test_the_page_is_up_to_date() -> None:
    assert page.PAGE.read_text() == page.page()


@settings(max_examples=30)
@given(
    devices=st.integers(1, 10**7),
    tenants=st.integers(1, 1_000),
    counters=st.lists(st.integers(1, 256), min_size=len(SIZES), max_size=len(SIZES)),
)
def test_keys_share_a_load_by_what_their_names_say(devices: int, tenants: int, counters: list[int]) -> None:
    fleet, known = Fleet(devices, tenants), recording(counter=counters)
    here = counters[next((n for n, size in enumerate(SIZES) if size >= devices / tenants), -1)]

    assert spread("SWITCHES", fleet, known) == 1
    assert spread("T#{tenant}", fleet, known) == tenants
    assert spread("T#{tenant}#P#{deployment}", fleet, known) == tenants
    assert spread("T#{tenant}#P#{deployment}#{counter}", fleet, known) == tenants * here
    assert spread("T#{tenant}#D#{device}", fleet, known) == devices
    assert spread("#{call}", fleet, known) == float("inf")


def test_the_items_of_a_key_add_up_and_the_worse_limit_counts() -> None:
    known = recording(
        Access("t", "T#{tenant}", "A", writes=2),
        Access("t", "T#{tenant}", "B", writes=3),
        Access("t", "T#{tenant}", index="i", reads=9),
        Access("t", "T#{tenant}#D#{device}", "C", writes=100),
    )

    found = loads(known, at(200), Fleet(1_000, tenants=2))

    assert found == [
        Load("t", "", "T#{tenant}", reads=0, writes=500),
        Load("t", "i", "T#{tenant}", reads=900, writes=0),
        Load("t", "", "T#{tenant}#D#{device}", reads=0, writes=20),
    ]
    assert [each.share for each in found] == pytest.approx([0.5, 0.3, 0.02])


@pytest.mark.parametrize("rate", [5, 20, 100, 400])
def test_without_another_attempt_as_many_are_refused_as_erlang_says(rate: int) -> None:
    """One item is one server without a queue: it refuses a share of a / (1 + a), with a = rate times hold."""
    load = rate * ONCE.hold[0]

    found = simulate([(rate, [("item", 1, 1.0)])], ONCE, transactions=20_000)

    assert found.share == pytest.approx(load / (1 + load), rel=0.15)


def test_parts_divide_the_conflicts() -> None:
    whole = simulate([(10, [("item", 1, 1.0)])], ONCE, transactions=20_000)
    parted = simulate([(160, [("item", 16, 1.0)])], ONCE, transactions=20_000)

    assert parted.share == pytest.approx(whole.share, rel=0.15)


def test_who_never_meets_anybody_waits_for_nothing_but_the_store() -> None:
    found = simulate([(0.01, [("item", 1, 1.0)])], Rules(hold=(0.008, 0.015)), transactions=1_000)

    assert (found.refused, found.p99 <= 0.015) == (0, True)


def test_several_items_meet_as_often_as_either_of_them() -> None:
    both = simulate([(20, [("a", 1, 1.0), ("b", 1, 1.0)])], ONCE, transactions=20_000)
    one = simulate([(20, [("a", 1, 1.0)])], ONCE, transactions=20_000)
    seldom = simulate([(20, [("a", 1, 0.0)])], ONCE, transactions=1_000)

    assert both.share == pytest.approx(one.share, rel=0.15)
    assert seldom.refused == 0


def test_the_first_layout_overheats_where_a_review_said_it_would() -> None:
    """A report costs a deployment's one key some 4 units: 250 a second until DynamoDB splits it."""
    known, rollout = traffic.load(traffic.FIRST), SCENARIOS[1]
    hottest = loads(known, rollout, Fleet(1_000_000))[0]

    assert (hottest.table, hottest.key) == ("deployments", "T#{tenant}#P#{deployment}")
    assert hottest.share > 10
    [*_, (_, items)] = kinds(known, rollout, Fleet(1_000_000))
    assert [(name.split()[-1], among) for name, among, _ in items] == [("COUNTER#{counter}", 16)]

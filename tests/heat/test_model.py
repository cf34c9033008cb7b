"""The model of hot keys gives known sums and follows known formulas."""

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
def test_placeholders_determine_how_many_keys_share_a_load(devices: int, tenants: int, counters: list[int]) -> None:
    fleet, known = Fleet(devices, tenants), recording(counter=counters)
    here = counters[next((n for n, size in enumerate(SIZES) if size >= devices / tenants), -1)]

    assert spread("SWITCHES", fleet, known) == 1
    assert spread("T#{tenant}", fleet, known) == tenants
    assert spread("T#{tenant}#P#{deployment}", fleet, known) == tenants
    assert spread("T#{tenant}#P#{deployment}#{counter}", fleet, known) == tenants * here
    assert spread("T#{tenant}#D#{device}", fleet, known) == devices
    assert spread("#{call}", fleet, known) == float("inf")


def test_the_load_of_a_key_is_the_sum_of_its_items_and_its_share_that_of_the_tighter_limit() -> None:
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
def test_with_a_single_attempt_the_refused_share_follows_erlangs_formula(rate: int) -> None:
    """One item acts as one server without a queue, which refuses a / (1 + a), with a = rate times hold."""
    load = rate * ONCE.hold[0]

    found = simulate([(rate, [("item", 1, 1.0)])], ONCE, transactions=20_000)

    assert found.share == pytest.approx(load / (1 + load), rel=0.15)


def test_a_load_spread_over_parts_has_the_conflicts_of_one_part() -> None:
    whole = simulate([(10, [("item", 1, 1.0)])], ONCE, transactions=20_000)
    parted = simulate([(160, [("item", 16, 1.0)])], ONCE, transactions=20_000)

    assert parted.share == pytest.approx(whole.share, rel=0.15)


def test_a_transaction_without_conflicts_takes_only_its_hold_time() -> None:
    found = simulate([(0.01, [("item", 1, 1.0)])], Rules(hold=(0.008, 0.015)), transactions=1_000)

    assert (found.refused, found.p99 <= 0.015) == (0, True)


def test_items_that_are_always_locked_together_conflict_as_often_as_one() -> None:
    both = simulate([(20, [("a", 1, 1.0), ("b", 1, 1.0)])], ONCE, transactions=20_000)
    one = simulate([(20, [("a", 1, 1.0)])], ONCE, transactions=20_000)
    seldom = simulate([(20, [("a", 1, 0.0)])], ONCE, transactions=1_000)

    assert both.share == pytest.approx(one.share, rel=0.15)
    assert seldom.refused == 0


def test_a_rollout_exceeds_the_limits_of_a_key_in_the_first_layout() -> None:
    """Each report uses about 4 units of the deployment's only key, which therefore allows 250 reports a second."""
    known, rollout = traffic.load(traffic.FIRST), SCENARIOS[1]
    hottest = loads(known, rollout, Fleet(1_000_000))[0]

    assert (hottest.table, hottest.key) == ("deployments", "T#{tenant}#P#{deployment}")
    assert hottest.share > 10
    [*_, (_, items)] = kinds(known, rollout, Fleet(1_000_000))
    assert [(name.split()[-1], among) for name, among, _ in items] == [("COUNTER#{counter}", 16)]

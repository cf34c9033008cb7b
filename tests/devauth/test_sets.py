"""Auth sets: the effect of each decision, and invariants after any sequence of decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.devauth.rules import sets
from chalicelib.devauth.rules.sets import NOBODY, AuthSet, Standing, Status
from chalicelib.errors import BadRequest

ACCEPTED, NOAUTH, PENDING, PREAUTHORIZED, REJECTED = (
    Status.ACCEPTED,
    Status.NOAUTH,
    Status.PENDING,
    Status.PREAUTHORIZED,
    Status.REJECTED,
)
START = datetime(2026, 1, 1, tzinfo=UTC)


def auth_set(name: str, status: Status = PENDING, age: int = 0) -> AuthSet:
    return AuthSet(name, f"key-{name}", status, START + timedelta(seconds=age))


def standing(*statuses: Status) -> Standing:
    items = tuple(auth_set(str(number), status, number) for number, status in enumerate(statuses))
    return Standing(sets.strongest(items), items, 7)


def statuses(found: Standing) -> list[Status]:
    return [item.status for item in found.sets]


@pytest.mark.parametrize("wanted", [ACCEPTED, REJECTED, PENDING])
@pytest.mark.parametrize("before", [PENDING, REJECTED, ACCEPTED])
def test_decisions_on_sets_that_are_not_preauthorized(before, wanted):
    found = sets.decide(standing(before), "0", wanted)
    assert statuses(found) == [wanted]
    assert found.status is wanted
    assert (found.generation == 8) is (before is ACCEPTED != wanted)


@pytest.mark.parametrize("wanted", [ACCEPTED, REJECTED, PENDING])
def test_only_the_device_can_use_up_a_preauthorized_set(wanted):
    with pytest.raises(BadRequest, match="dev auth: bad request"):
        sets.decide(standing(PREAUTHORIZED), "0", wanted)
    found = sets.accept(standing(PREAUTHORIZED), "0")
    assert (found.status, found.accepted) == (ACCEPTED, "0")


def test_accepting_rejects_only_accepted_siblings():
    found = sets.decide(standing(ACCEPTED, PENDING, REJECTED, PREAUTHORIZED, PENDING), "1", ACCEPTED)
    assert statuses(found) == [REJECTED, ACCEPTED, REJECTED, PREAUTHORIZED, PENDING]
    assert found.generation == 8


def test_the_device_status_is_that_of_the_strongest_set():
    assert sets.strongest(()) is NOAUTH
    assert sets.strongest((auth_set("a", REJECTED),)) is REJECTED
    assert sets.strongest((auth_set("a", REJECTED), auth_set("b", PENDING))) is PENDING
    assert sets.strongest((auth_set("a", PREAUTHORIZED), auth_set("b", PENDING))) is PREAUTHORIZED
    assert sets.strongest((auth_set("a", PREAUTHORIZED), auth_set("b", ACCEPTED))) is ACCEPTED


def test_removing_sets():
    left = sets.remove(standing(ACCEPTED, PENDING), "0")
    assert left is not None
    assert (left.status, left.accepted, left.generation) == (PENDING, None, 8)
    last = sets.remove(standing(REJECTED), "0")
    assert last is not None
    assert (last.status, last.sets) == (NOAUTH, ())
    assert sets.remove(standing(PREAUTHORIZED), "0") is None
    kept = sets.remove(standing(PREAUTHORIZED, REJECTED), "0")
    assert kept is not None
    assert kept.status is REJECTED


def test_a_forced_preauthorization_keeps_the_status_until_the_device_calls():
    found = sets.preauthorise(standing(PENDING), auth_set("new", PREAUTHORIZED))
    assert (found.status, statuses(found)) == (PENDING, [PENDING, PREAUTHORIZED])
    assert sets.settle(found).status is PREAUTHORIZED
    again = sets.preauthorise(standing(PENDING), AuthSet("x", "key-0", PREAUTHORIZED, START))
    assert [(item.id, item.status) for item in again.sets] == [("0", PREAUTHORIZED)]
    lost = sets.preauthorise(standing(ACCEPTED), AuthSet("x", "key-0", PREAUTHORIZED, START))
    assert (lost.status, lost.accepted, lost.generation) == (ACCEPTED, None, 8)
    first = sets.preauthorise(NOBODY, auth_set("a", PREAUTHORIZED))
    assert first.status is PREAUTHORIZED


def test_above_the_limit_the_oldest_pending_then_the_oldest_rejected_set_is_removed():
    most = limits.AUTH_SETS_PER_DEVICE
    full = standing(ACCEPTED, REJECTED, PENDING, *[PENDING] * (most - 3))
    found = sets.appear(full, auth_set("new", age=99))
    assert len(found.sets) == most
    assert found.by_id("2") is None
    assert found.by_id("new") is not None
    full = standing(ACCEPTED, PREAUTHORIZED, *[REJECTED] * (most - 2))
    found = sets.appear(full, auth_set("new", age=99))
    assert found.by_id("2") is None
    assert found.by_id("1") is not None
    with pytest.raises(BadRequest, match="too many"):
        sets.appear(standing(ACCEPTED, *[PREAUTHORIZED] * (most - 1)), auth_set("new"))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["appear", "preauthorise", "accept", "reject", "wait", "remove", "call", "revoke"]),
        st.integers(0, 5),
    ),
    max_size=60,
)


@given(STEPS)
def test_invariants_hold_after_any_steps(steps):
    now = NOBODY
    live: tuple[str, int] | None = None
    dead: set[tuple[str, int]] = set()
    for number, (step, key) in enumerate(steps):
        new = AuthSet(f"set-{number}", f"key-{key}", PENDING, START + timedelta(seconds=number))
        held = now.by_key(new.pubkey, new.tier)
        after = _step(now, step, new, held)
        if after is None:
            now = NOBODY
            live, dead = None, set()
            continue
        token = None if after.accepted is None else (after.accepted, after.generation)
        if live is not None and token != live:
            dead.add(live)
        # An invalidated token stays invalid, even if its set is accepted again.
        assert token not in dead
        assert sum(item.status is ACCEPTED for item in after.sets) <= 1
        assert len({item.pubkey for item in after.sets}) == len(after.sets) <= limits.AUTH_SETS_PER_DEVICE
        assert NOAUTH not in statuses(after)
        if step != "preauthorise":
            assert after.status is sets.strongest(after.sets)
        now, live = after, token


def _step(now: Standing, step: str, new: AuthSet, held: AuthSet | None) -> Standing | None:
    decisions = {"accept": ACCEPTED, "reject": REJECTED, "wait": PENDING}
    if step == "preauthorise":
        return sets.preauthorise(now, AuthSet(new.id, new.pubkey, PREAUTHORIZED, new.ts))
    if held is None:
        return sets.appear(now, new) if step == "appear" else sets.settle(now)
    if step == "call":
        return sets.accept(now, held.id) if held.status is PREAUTHORIZED else sets.settle(now)
    if step in decisions and held.status is not PREAUTHORIZED:
        return sets.settle(sets.decide(now, held.id, decisions[step]))
    if step == "remove":
        return sets.remove(now, held.id)
    return sets.settle(sets.revoke(now)) if step == "revoke" else sets.settle(now)

"""The limit of accepted devices in large tenants: exact, whatever happens and however many act at once."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.fleet import control, control_items, counts, places
from chalicelib.fleet.tables import ControlItem
from chalicelib.storage.transactions import ConditionFailed, Transaction
from chalicelib.tenantadm import service as tenantadm
from chalicelib.tiers import PerTier, Tier
from tests.support.probe import counted

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm.service import Tenant

PARTS = 4
DEVICES = [f"{number:02x}{uuid.uuid4().hex[2:]}" for number in range(0, 256, 16)]
"""Devices in all parts."""

accepts = st.tuples(st.just("accept"), st.sampled_from(DEVICES))
leaves = st.tuples(st.just("leave"), st.sampled_from(DEVICES))
limits = st.tuples(st.just("limit"), st.integers(-1, len(DEVICES)))
grows = st.tuples(st.just("grow"), st.none())
lends = st.tuples(st.just("at most"), st.integers(0, len(DEVICES)))


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "BLOCK", 3)


def grow(tenant: TenantId) -> None:
    control_items.ref(tenant).update([ControlItem.parts.set(PARTS)])
    control.forget(tenant)


def change(tenant: TenantId, device: str, by: int, tier: Tier = Tier.STANDARD) -> bool:
    """Count a device as accepted (1) or no longer (-1); False if the limit is reached."""
    while True:
        tx = Transaction()
        known = control.get(tenant, fresh=True)
        counts.change(tx, tenant, device, {("accepted", tier): by, ("pending", tier): -by}, known)
        try:
            tx.commit()
        except ConditionFailed as error:
            if error.failed.keys() == {"limit"}:
                return False
        else:
            return True


def numbers(tenant: TenantId) -> tuple[int, int]:
    """The accepted devices by the counts; and by what is known of the places, which must be the same."""
    rows = places.of_parts(tenant, PARTS)
    whole = places.accepted_ref(tenant, Tier.STANDARD).fetch()
    handed_out, given_out = (0, 0) if whole is None else (whole.n or 0, whole.given or 0)
    free = sum(row.free or 0 for row in rows)
    assert given_out == free + sum(row.accepted or 0 for row in rows)
    assert all((row.free or 0) >= 0 for row in rows)
    return counts.accepted_by_tier(tenant).standard, handed_out - free


@settings(max_examples=25)
@given(steps=st.lists(st.one_of(accepts, accepts, accepts, leaves, limits, grows, lends), max_size=30))
def test_any_history_counts_and_limits_like_one_number(server: Any, steps: list[tuple[str, Any]]) -> None:
    tenant = tenantadm.create_tenant("Acme").id
    accepted: set[str] = set()
    limit = -1
    for step, value in steps:
        match step:
            case "accept" if value not in accepted:
                done = change(tenant, value, 1)
                assert done == (limit < 0 or len(accepted) < limit)
                accepted |= {value} if done else set()
            case "leave" if value in accepted:
                assert change(tenant, value, -1)
                accepted.remove(value)
            case "limit":
                tenantadm.set_limits(tenant, max_devices=value)
                limit = value
            case "grow":
                grow(tenant)
            case "at most":
                tx = Transaction()
                counts.require_accepted_at_most(tx, tenant, PerTier(value), [Tier.STANDARD])
                assert tx.try_commit() == (len(accepted) <= value)
        assert numbers(tenant) == (len(accepted), len(accepted))
        assert counts.number(tenant, "pending", None) == -len(accepted)


def test_many_at_once_never_exceed_the_limit_and_leave_no_place_unused(tenant: Tenant) -> None:
    grow(tenant.id)
    tenantadm.set_limits(tenant.id, max_devices=10)

    def come_and_go(device: str) -> int:
        done = change(tenant.id, device, 1)
        assert counts.accepted_by_tier(tenant.id).standard <= 10
        if done:
            change(tenant.id, device, -1)
        return change(tenant.id, device, 1)

    with ThreadPoolExecutor(8) as threads:
        stayed = list(threads.map(come_and_go, DEVICES))

    assert numbers(tenant.id) == (sum(stayed), sum(stayed))
    for device in [device for device, there in zip(DEVICES, stayed, strict=True) if not there]:
        assert change(tenant.id, device, 1) == (counts.accepted_by_tier(tenant.id).standard < 10)
        assert counts.accepted_by_tier(tenant.id).standard <= 10
    assert numbers(tenant.id) == (10, 10)


def test_places_of_earlier_terms_are_not_used_when_a_limit_was_lowered_and_raised(tenant: Tenant) -> None:
    grow(tenant.id)
    for limit, device in ((100, DEVICES[0]), (200, DEVICES[-1])):
        tenantadm.set_limits(tenant.id, max_devices=limit)
        assert change(tenant.id, device, 1)
    tenantadm.set_limits(tenant.id, max_devices=2)

    assert not change(tenant.id, DEVICES[1], 1)
    assert not change(tenant.id, DEVICES[-2], 1)
    assert numbers(tenant.id) == (2, 2)


def test_tiers_have_places_of_their_own(tenant: Tenant) -> None:
    grow(tenant.id)
    tenantadm.set_limits(tenant.id, max_devices=0, max_micro_devices=1)

    assert change(tenant.id, DEVICES[0], 1, Tier.MICRO)
    assert not change(tenant.id, DEVICES[1], 1, Tier.MICRO)
    assert not change(tenant.id, DEVICES[1], 1)
    assert change(tenant.id, DEVICES[1], 1, Tier.SYSTEM)
    assert counts.accepted_by_tier(tenant.id) == PerTier(0, 1, 1)


def test_a_device_that_finds_a_place_in_its_part_reads_nothing_for_it(tenant: Tenant, warm: None) -> None:
    grow(tenant.id)
    known = control.get(tenant.id)
    assert change(tenant.id, DEVICES[0], 1)
    tx = Transaction()
    counts.change(tx, tenant.id, DEVICES[1], {("accepted", Tier.STANDARD): 1}, known)
    with counted() as cost:
        tx.commit()
    assert (cost.calls, cost.write_units) == (["TransactWriteItems"], 2)

"""Small tenants: the rows of changed devices move into one partition, with a copy of the pointer to the snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from msgspec.structs import replace

from chalicelib import clock, limits
from chalicelib.fleet import control, control_items, parts
from chalicelib.fleet.tables import ControlItem
from chalicelib.inventory import service
from chalicelib.inventory.rules.matching import Predicate, Query
from chalicelib.inventory.tables import changes
from chalicelib.inventory.tables import snapshots as pointers
from chalicelib.tenantadm import service as tenantadm
from infra import migrations
from tests.inventory.fleet import fill
from tests.inventory.snapshots import EVERYONE, build, report
from tests.inventory.views import DEVICES, SEARCH, ids
from tests.support.probe import Cost, counted

if TYPE_CHECKING:
    import httpx2

    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm.service import Tenant

LATER = timedelta(minutes=16)
"""A little longer than the time after which all processes know where to store rows."""


@pytest.fixture(autouse=True)
def _eager(monkeypatch):
    """Build a new snapshot after any change."""
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES", 1)


@pytest.fixture
def time() -> Iterator[Any]:
    """The time, which stands still."""
    with time_machine.travel(clock.now(), tick=False) as moved:
        yield moved


@pytest.fixture
def old(tenant: Tenant) -> Tenant:
    """A tenant from before rows were stored in one partition."""
    control_items.ref(tenant.id).update([ControlItem.changes_from.remove()])
    control.forget(tenant.id)
    return tenant


def found(tenant: TenantId, name: str, value: Any) -> list[str]:
    query = Query((Predicate("inventory", name, "$eq", value),))
    return [each.id for each in service.search(tenant, query, 0, 500, None)[0]]


def wait(tenant: TenantId, time: Any) -> None:
    """Let the time pass after which all processes store rows in another way."""
    time.shift(LATER)
    control.forget(tenant)


def test_rows_move_into_one_partition(old, time):
    tenant = old
    some = fill(tenant.id, 12)
    build(tenant.id)
    assert control.get(tenant.id, fresh=True).changes_from == clock.now() + timedelta(minutes=15)
    report(tenant.id, some[0], state=1)
    assert found(tenant.id, "state", 1) == [some[0]]
    wait(tenant.id, time)
    # From now on rows are stored in one partition. All partitions are read, and the newest row of a device counts.
    for device_id in some:
        report(tenant.id, device_id, state=2)
    rows, pointer = changes.read_for_search(tenant.id)
    assert sorted(row.device_id for row in rows) == some
    assert {row.partition for row in rows} == {pointers.first_partition(tenant.id)}
    assert (found(tenant.id, "state", 1), found(tenant.id, "state", 2)) == ([], some)
    build(tenant.id)
    # The copy is made when the last process that did not know it has ended, and there are no rows elsewhere.
    assert not pointer.beside
    assert not changes.read_for_search(tenant.id)[1].beside
    wait(tenant.id, time)
    report(tenant.id, some[0], state=3)
    build(tenant.id)
    assert changes.read_for_search(tenant.id) == ([], replace(pointers.find(tenant.id), garbage=(), beside=True))
    report(tenant.id, some[1], state=3)
    assert found(tenant.id, "state", 3) == some[:2]


def test_nothing_moves_before_all_code_knows_it(server, monkeypatch):
    monkeypatch.setattr(control, "CHANGES_KNOWN", migrations.CURRENT + 1)
    tenant = tenantadm.create_tenant("Acme")
    fill(tenant.id, 3)
    build(tenant.id)
    assert control.get(tenant.id, fresh=True).changes_from is None


def test_a_device_with_two_rows_is_read_each_time(old, time):
    """Where clocks differ, the row in the old partition may be the newer one."""
    tenant = old
    some = fill(tenant.id, 3)
    build(tenant.id)
    report(tenant.id, some[0], state=1)
    wait(tenant.id, time)
    report(tenant.id, some[0], state=2)
    assert found(tenant.id, "state", 2) == [some[0]]
    time.shift(-LATER)
    report(tenant.id, some[0], state=3)
    assert found(tenant.id, "state", 3) == [some[0]]
    time.shift(LATER)
    assert found(tenant.id, "state", 3) == [some[0]]


def test_a_new_tenant_uses_one_partition_only(tenant):
    some = fill(tenant.id, 3)
    with counted() as cost:
        assert service.search(tenant.id, EVERYONE, 0, 9, None)[1] == 3
    # The changes, the pointer, and the devices. The process asks for a snapshot.
    assert cost.calls == ["Query", "GetItem", "TransactWriteItems", "BatchGetItem"]
    build(tenant.id)
    assert changes.read_for_search(tenant.id)[1].beside
    report(tenant.id, some[0], state=1)
    assert found(tenant.id, "state", 1) == [some[0]]


def test_a_tenant_that_became_large_keeps_its_copy_up_to_date(tenant):
    """A process that does not know yet that the tenant is large reads as before."""
    some = fill(tenant.id, 3)
    build(tenant.id)
    unaware = control.get(tenant.id)
    control_items.divide(tenant.id, parts.LARGE, clock.now() + timedelta(minutes=1))
    report(tenant.id, some[1], state="new")
    for _ in range(2):
        assert found(tenant.id, "state", "new") == [some[1]]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(control, "get", lambda *_, **__: unaware)
            assert found(tenant.id, "state", "new") == [some[1]]
        build(tenant.id)
        assert changes.read_for_search(tenant.id) == ([], pointers.find(tenant.id))


def test_searches_and_lists_cost_two_round_trips_in_tenants_of_any_size(api: httpx2.Client, tenant):
    def cost(call: Any) -> tuple[list[str], Cost]:
        for _ in range(2):
            call()
        with counted() as taken:
            answer = call()
        return ids(answer), taken

    order = [{"scope": "identity", "attribute": "sn", "order": "desc"}]
    costs = []
    for number in (30, 300):
        some = fill(tenant.id, number, f"of-{number}")
        build(tenant.id)
        report(tenant.id, some[7], state="new")
        searched, of_search = cost(lambda: api.post(SEARCH, json={"sort": order}))
        listed, of_list = cost(lambda: api.get(DEVICES))
        shown, _ = service.search(tenant.id, EVERYONE, 0, 20, None)
        assert searched == [device.id for device in shown]
        assert listed == sorted(listed)
        assert len(listed) == 20
        costs.append([(each.calls, each.read_units) for each in (of_list, of_search)])
    # The user, and the changes with the copy of the pointer.
    assert costs == [[(["BatchGetItem", "Query"], 3)] * 2] * 2


@pytest.mark.parametrize("page", [1, 2])
def test_a_list_is_the_same_when_it_is_read_again(api: httpx2.Client, tenant, monkeypatch, page: int):
    some = fill(tenant.id, 30)
    build(tenant.id)
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES", 20)
    report(tenant.id, some[page], state="new")
    answers, calls = [], []
    for _ in range(3):
        with counted() as cost:
            answers.append(api.get(DEVICES, params={"page": page}).json())
        calls.append(cost.calls[1:])
    assert answers[0] == answers[1] == answers[2]
    # The page and the counts; the changes, and the devices; the changes.
    assert calls[0] == ["Query", "Query"]
    assert set(calls[1]) == {"Query", "BatchGetItem"}
    assert calls[2] == ["Query"]


def test_a_script_that_reads_all_pages_reads_them_from_the_index(api: httpx2.Client, tenant):
    fill(tenant.id, 30)
    build(tenant.id)
    for page in (1, 2, 1, 2):
        with counted() as cost:
            api.get(DEVICES, params={"page": page})
        assert cost.calls[1:] == ["Query", "Query"]

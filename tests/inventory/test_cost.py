"""What searches, lists and changes of devices cost in DynamoDB, whatever the size of the fleet."""

from __future__ import annotations

from importlib import import_module

import pytest

from chalicelib import limits
from chalicelib.inventory import service
from chalicelib.inventory.rules.matching import PREFIX, Predicate, Query
from chalicelib.inventory.service import snapshots
from chalicelib.inventory.shapes import AttributeInput
from tests.inventory.fleet import fill, head_of
from tests.inventory.snapshots import EVERYONE, build, report
from tests.support.probe import counted


@pytest.fixture(autouse=True)
def _eager(monkeypatch):
    """Build a new snapshot after any change."""
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES", 1)


def test_the_cost_of_a_change_does_not_grow_with_the_fleet(tenant):
    costs = []
    for number in (10, 2000):
        some = fill(tenant.id, number, f"of-{number}")
        build(tenant.id)
        report(tenant.id, some[7], state="first")
        head = head_of(tenant.id, some[7])
        with counted() as cost:
            service.report(tenant.id, head, [AttributeInput("state", "second")], replace=False)
        with counted() as moving:
            service.put(tenant.id, some[7], "elsewhere")
        costs.append((cost.calls, cost.read_units, cost.write_units, moving.write_units))
    assert costs[0] == costs[1]
    assert costs[0][:3] == (["GetItem", "TransactWriteItems"], 1, 6)


def test_the_cost_of_a_search(tenant):
    some = fill(tenant.id, 300, "g")
    build(tenant.id)
    report(tenant.id, some[5], state="new")
    query = Query(
        (Predicate("identity", "sn", PREFIX, "g-000"), Predicate("system", "group", "$eq", "g")), EVERYONE.sort
    )
    with counted() as first:
        assert service.search(tenant.id, query, 0, 20, None)[1] == 100
    # The size of the group; the changes with the pointer; the page, and the device that changed.
    assert first.by_operation == {"GetItem": 1, "Query": 1, "BatchGetItem": 2}
    assert first.read_units <= 1 + 1 + 20 + 1
    with counted() as again:
        assert service.search(tenant.id, query, 0, 20, None)[1] == 100
    assert again.by_operation == {"GetItem": 1, "Query": 1}


def test_a_search_costs_the_same_for_tenants_of_any_size(server, tenant, monkeypatch):
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES", 20)
    costs = []
    everyone = 0
    for number in (40, 400):
        everyone += number
        some = fill(tenant.id, number, f"of-{number}")
        service.search(tenant.id, EVERYONE, 0, 20, None)
        server.workers.fire("tick")
        server.drain()
        report(tenant.id, some[7], state="new")
        for start in (snapshots._known.clear, list):
            start()
            with counted() as cost:
                shown, total = service.search(tenant.id, EVERYONE, 0, 20, None)
            assert (len(shown), total) == (20, everyone)
            costs.append((cost.calls, cost.read_units))
    assert costs[:2] == costs[2:]
    # The changes with the pointer; in a new process also the device that changed, and the page.
    assert costs[:2] == [(["Query", "BatchGetItem", "BatchGetItem"], 1 + 1 + 20), (["Query"], 1)]


def test_a_process_asks_for_a_snapshot_once_a_minute(tenant):
    fill(tenant.id, 3)
    with counted() as cost:
        for _ in range(3):
            service.search(tenant.id, EVERYONE, 0, 9, None)
    assert cost.by_operation["TransactWriteItems"] == 1


def test_a_late_page_of_the_list_does_not_read_earlier_ones(tenant, monkeypatch):
    some = fill(tenant.id, 30)
    build(tenant.id)
    monkeypatch.setattr(import_module("chalicelib.inventory.service.search"), "_LISTED", 10)
    service.search(tenant.id, Query(), 20, 30, None)

    with counted() as cost:
        found, total = service.search(tenant.id, Query(), 20, 30, None)

    assert ([device.id for device in found], total) == (some[20:], 30)
    # The changes with the pointer. The page is remembered.
    assert cost.by_operation == {"Query": 1}

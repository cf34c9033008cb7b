"""Open deployments in the control item and in pages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from chalicelib import cache, limits
from chalicelib.errors import Unprocessable
from chalicelib.fleet import control, control_items, open_deployments, schema
from chalicelib.fleet.open_deployments import RECENT
from chalicelib.fleet.tables import OpenPageItem
from chalicelib.storage import connection, keys
from chalicelib.storage.transactions import Transaction
from infra import migrations
from infra.migrations import v4
from tests.support.probe import counted, size

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm.service import Tenant


def add(tenant: TenantId, deployment: str) -> None:
    while True:
        tx = Transaction()
        control_items.open_deployment(tx, tenant, deployment, control_items.next_sequence(tenant))
        if tx.try_commit():
            break


def end(tenant: TenantId, deployment: str) -> None:
    tx = Transaction()
    control_items.close_deployment(tx, tenant, deployment)
    tx.commit()


def fill(tenant: TenantId, count: int) -> list[str]:
    added = [f"deployment-{number:04}-of-36-characters-00" for number in range(count)]
    for each in added:
        add(tenant, each)
    return added


def now_open(tenant: TenantId) -> list[str]:
    return list(control.get(tenant, fresh=True).open)


def pages(tenant: TenantId) -> list[dict[str, int]]:
    found = OpenPageItem.query(keys.partition(tenant), OpenPageItem.sk.startswith("OPEN#"), consistent_read=True)
    stored = [(page.n, page.open.as_dict()) for page in found]
    assert all(n == len(inside) > 0 for n, inside in stored)
    item = control_items.ref(tenant).fetch()
    assert item is not None
    assert sum(n for n, _ in stored) == (item.paged or 0)
    return [inside for _, inside in stored]


def control_bytes(tenant: TenantId) -> int:
    key = {"pk": {"S": keys.partition(tenant)}, "sk": {"S": "CONTROL"}}
    asked = {"TableName": "lamplighter-local-fleet", "Key": key, "ConsistentRead": True}
    return size(connection.shared().dispatch("GetItem", asked)["Item"])


def test_all_are_listed_in_order_wherever_they_are(tenant: Tenant) -> None:
    added = fill(tenant.id, 3 * RECENT + 5)

    assert now_open(tenant.id) == added
    assert [list(page) for page in map(sorted, pages(tenant.id))] == [
        added[start : start + RECENT] for start in range(0, 3 * RECENT, RECENT)
    ]
    for gone, each in enumerate(reversed(added), 1):
        end(tenant.id, each)
        assert now_open(tenant.id) == added[:-gone]
        assert sum(map(len, pages(tenant.id))) <= len(added) - gone
    assert pages(tenant.id) == []


def test_a_thousand_cost_as_much_as_one(tenant: Tenant) -> None:
    with counted() as cost:
        add(tenant.id, "deployment-0000-of-36-characters-00")
    end(tenant.id, "deployment-0000-of-36-characters-00")
    fill(tenant.id, 994)
    with counted() as more:
        add(tenant.id, "deployment-x")

    assert control_bytes(tenant.id) < 1024
    assert (more.round_trips, more.read_units, more.write_units) == (
        cost.round_trips,
        cost.read_units,
        cost.write_units,
    )
    now_open(tenant.id)
    with counted() as last:
        end(tenant.id, "deployment-0500-of-36-characters-00")
    assert (last.round_trips, last.read_units, last.write_units) == (1, 0, 4), "its page and the control item"
    with counted() as read:
        control.get(tenant.id, fresh=True)
    assert read.by_operation == {"GetItem": 1, "Query": 1}
    with counted() as again:
        control.get(tenant.id, fresh=True)
    assert (again.calls, again.read_units) == (["GetItem"], 1)


def test_moving_to_a_page_is_one_write_more(tenant: Tenant) -> None:
    fill(tenant.id, RECENT)
    assert pages(tenant.id) == []
    assert schema.is_at_least(migrations.CURRENT), "each process reads this once"
    with counted() as cost:
        add(tenant.id, "one more")
    assert cost.by_operation == {"GetItem": 1, "UpdateItem": 1, "TransactWriteItems": 1}
    assert [len(page) for page in pages(tenant.id)] == [RECENT]


def test_the_limit_counts_all(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OPEN_DEPLOYMENTS", 2 * RECENT)
    added = fill(tenant.id, 2 * RECENT)
    with pytest.raises(Unprocessable):
        add(tenant.id, "one more")
    end(tenant.id, added[0])
    add(tenant.id, "one more")


@pytest.mark.parametrize("place", [0, RECENT, -1])
def test_a_process_that_knows_an_earlier_state_ends_the_right_one(tenant: Tenant, place: int) -> None:
    added = fill(tenant.id, RECENT)
    now_open(tenant.id)
    known = open_deployments.last_read(tenant.id)
    assert known is not None
    added += [f"later {number}" for number in range(RECENT + 2)]
    for each in added[RECENT:]:
        add(tenant.id, each)
    for each in added[1 : RECENT - 1]:
        end(tenant.id, each)
        added.remove(each)

    open_deployments._known.put(tenant.id, known)
    end(tenant.id, gone := added[place])

    assert now_open(tenant.id) == [each for each in added if each != gone]
    pages(tenant.id)


def test_the_last_two_of_a_page_end_at_once(tenant: Tenant) -> None:
    added = fill(tenant.id, RECENT + 1)
    for each in added[2:RECENT]:
        end(tenant.id, each)
    now_open(tenant.id)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(partial(end, tenant.id), added[:2]))

    assert pages(tenant.id) == []
    assert now_open(tenant.id) == added[RECENT:]


def test_many_begin_and_end_at_once(tenant: Tenant) -> None:
    added = fill(tenant.id, RECENT - 2)
    new = [f"new {number}" for number in range(6)]
    with ThreadPoolExecutor(10) as threads:
        begun = threads.map(partial(add, tenant.id), new)
        ended = threads.map(partial(end, tenant.id), added[:4])
        list(begun), list(ended)

    opened = control.get(tenant.id, fresh=True).open
    assert set(opened) == {*added[4:], *new}
    assert list(opened.values()) == sorted(opened.values())
    pages(tenant.id)


def test_ending_one_that_is_not_there_changes_nothing(tenant: Tenant) -> None:
    added = fill(tenant.id, RECENT + 1)
    end(tenant.id, "another")
    assert now_open(tenant.id) == added


def test_there_are_no_pages_before_the_migration(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code of the previous version, which does not know pages, may still run."""
    with monkeypatch.context() as patch:
        patch.setattr(control_items, "_PAGES_KNOWN", migrations.CURRENT + 1)
        added = fill(tenant.id, 2 * RECENT + 3)
        assert (pages(tenant.id), now_open(tenant.id)) == ([], added)
    cache.forget_all()

    assert v4.run(migrations.store().tables, tenant.id) == 4
    assert v4.run(migrations.store().tables, tenant.id) == 0

    assert [len(page) for page in pages(tenant.id)] == [RECENT, RECENT]
    assert now_open(tenant.id) == added
    for each in added:
        end(tenant.id, each)
    assert (pages(tenant.id), now_open(tenant.id)) == ([], [])


def test_the_migration_knows_the_same_number() -> None:
    assert (v4.RECENT, control_items._PAGES_KNOWN) == (RECENT, 4)


def test_the_version_is_read_until_it_is_high_enough(server, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.forget_all()
    with counted() as cost:
        assert [schema.is_at_least(migrations.CURRENT) for _ in range(3)] == [True] * 3
    assert cost.calls == ["GetItem"]
    with counted() as cost:
        assert [schema.is_at_least(migrations.CURRENT + 1) for _ in range(3)] == [False] * 3
    assert len(cost.calls) == 3

"""Lists and searches of large tenants: what they read, and what happens when a tenant becomes large."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from chalicelib import clock, limits
from chalicelib.devauth import service as devauth
from chalicelib.devauth.tables.devices import DeviceItem
from chalicelib.fleet import control, control_items, lists, parts
from chalicelib.fleet.tables import ControlItem
from chalicelib.inventory import service as inventory
from chalicelib.inventory.rules.matching import Query, SortKey
from chalicelib.inventory.service import building
from chalicelib.inventory.shapes import AttributeInput
from chalicelib.inventory.tables import changes
from chalicelib.inventory.tables.devices import DeviceItem as Inventory
from chalicelib.storage import keys
from chalicelib.storage.parallel import in_parallel
from tests.devauth.fleet import DEVICES
from tests.inventory.fleet import head_of
from tests.large.growing import grow
from tests.simulator.device import Device
from tests.support.probe import counted

if TYPE_CHECKING:
    import httpx2

    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm.service import Tenant

BY_NUMBER = Query(sort=(SortKey("inventory", "number", descending=False),))


def expected(tenant: Tenant, device: Device) -> str:
    """Accept a device without the lists in which an operator would find it; returns its id."""
    _, known = devauth.preauthorise(tenant.id, device.identity, device.pubkey, force=False)
    assert device.auth().status_code == 200
    return known.id


def accepted(http: httpx2.Client, tenant: Tenant, count: int) -> list[str]:
    """Ids of new accepted devices."""
    return [expected(tenant, Device(http, tenant.tenant_token)) for _ in range(count)]


def report(tenant: TenantId, device_id: str, number: int) -> None:
    given = [AttributeInput("number", number)]
    inventory.report(tenant, head_of(tenant, device_id), given, replace=False)


def listed(tenant: TenantId) -> list[str]:
    """Ids by both lists, which have the same order for devices of one status."""
    ids = [device.id for device in devauth.listed(tenant, ["accepted"], 0, 100, None)]
    assert [device.id for device in inventory.search(tenant, Query(), 0, 100, None)[0]] == ids
    assert sorted(devauth.ids(tenant)) == ids
    return ids


def undivided(tenant: TenantId) -> list[str]:
    """The ids in the two lists that are not in a part."""
    whole = keys.partition(tenant)
    auth = [item.device_id for item in DeviceItem.by_status.query(whole)]
    return auth + [keys.last_part(item.list_sk) for item in Inventory.by_id.query(whole)]


def test_a_first_page_takes_two_queries(http, tenant, warm, monkeypatch) -> None:
    grow(tenant.id)
    monkeypatch.setattr(parts, "part_of", lambda *_: 7)
    accepted(http, tenant, 6)
    # The devices are at the beginning, as if there were many.
    monkeypatch.setattr(parts, "part_of", lambda *_: 0)
    mine = accepted(http, tenant, 3)
    first = sorted(mine)[:3]

    with counted() as cost:
        page = devauth.listed(tenant.id, ["accepted"], 0, 3, None)
    assert cost.calls == ["Query"] * 2
    assert {device.id for device in page} == set(first)


def test_a_list_with_few_devices_reads_more_parts_each_time(http, tenant, warm) -> None:
    grow(tenant.id)
    [only] = accepted(http, tenant, 1)

    with counted() as cost:
        assert [device.id for device in devauth.listed(tenant.id, ["accepted"], 0, 20, None)] == [only]
    assert cost.calls == ["Query"] * (1 + parts.LARGE)


def test_parts_with_many_devices_are_read_one_by_one(http, tenant, warm, monkeypatch) -> None:
    control_items.ref(tenant.id).update([ControlItem.parts.set(4)])
    control.forget(tenant.id)
    ids = sorted(accepted(http, tenant, 6))
    monkeypatch.setattr(lists, "_MANY", -1)
    together: list[int] = []

    def noted(function: Any, items: Any) -> Any:
        together.append(len(items))
        return in_parallel(function, items)

    monkeypatch.setattr(lists, "in_parallel", noted)
    assert [device.id for device in devauth.listed(tenant.id, ["accepted"], 0, 20, None)] == ids
    assert together == [1] * 4


def test_parallel_reads_keep_their_order_and_raise_what_failed() -> None:
    assert in_parallel(lambda number: number * 2, range(100)) == [number * 2 for number in range(100)]
    with pytest.raises(ZeroDivisionError):
        in_parallel(lambda number: 1 // number, [1, 0, 2])


def test_devices_move_into_their_part_when_they_check_in(http, tenant) -> None:
    device = Device(http, tenant.tenant_token)
    ids = [expected(tenant, device)]
    grow(tenant.id)
    ids += accepted(http, tenant, 2)
    assert listed(tenant.id) == sorted(ids)
    assert undivided(tenant.id) == ids[:1] * 2

    with time_machine.travel(clock.now() + timedelta(days=2)):
        assert device.auth().status_code == 200

    assert undivided(tenant.id) == []
    assert listed(tenant.id) == sorted(ids)


def test_a_device_that_changed_before_and_after_its_tenant_became_large(http, tenant, monkeypatch) -> None:
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES", 1)
    ids = accepted(http, tenant, 2)
    report(tenant.id, ids[0], 2)
    report(tenant.id, ids[1], 1)

    def found() -> list[str]:
        return [device.id for device in inventory.search(tenant.id, BY_NUMBER, 0, 9, None)[0]]

    assert found() == [ids[1], ids[0]]
    grow(tenant.id)
    report(tenant.id, ids[0], 0)
    assert found() == [ids[0], ids[1]]
    assert len(changes.read(tenant.id)) == 2
    while building.rebuild(tenant.id):
        pass
    assert changes.read(tenant.id) == []
    assert found() == [ids[0], ids[1]]
    report(tenant.id, ids[0], 3)
    assert found() == [ids[1], ids[0]]


def test_what_a_search_reads(http, tenant, warm) -> None:
    grow(tenant.id)
    accepted(http, tenant, 2)
    inventory.search(tenant.id, BY_NUMBER, 0, 9, None)

    with counted() as cost:
        assert inventory.search(tenant.id, BY_NUMBER, 0, 9, None)[1] == 2
    partitions = 4 + 2 * parts.LARGE
    assert cost.by_operation == {"Query": partitions, "GetItem": 1}
    assert cost.read_units == partitions + 1


def test_nothing_is_stored_in_parts_before_all_processes_read_them(api, http, tenant) -> None:
    later = clock.now() + timedelta(minutes=1)
    control_items.ref(tenant.id).update([ControlItem.parts.set(parts.LARGE), ControlItem.parts_from.set(later)])
    control.forget(tenant.id)
    ids = accepted(http, tenant, 2)
    assert listed(tenant.id) == sorted(ids)

    control_items.ref(tenant.id).update([ControlItem.parts.remove()])  # a process that does not know of the parts yet
    control.forget(tenant.id)

    assert listed(tenant.id) == sorted(ids)
    assert api.get(f"{DEVICES}/count").json() == {"count": 2}
    assert len(changes.read(tenant.id)) == 2

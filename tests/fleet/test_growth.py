"""A tenant becomes large when its snapshot has enough devices, and the stored data have the version for it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import time_machine

from chalicelib import clock, limits
from chalicelib.fleet import control, control_items, growth, parts
from chalicelib.fleet.tables import ControlItem
from chalicelib.inventory import service as inventory
from chalicelib.inventory.rules.matching import Query
from chalicelib.inventory.service import building
from chalicelib.inventory.tables import changes
from chalicelib.storage.keys import TenantId
from chalicelib.tenantadm import service as tenantadm
from infra import migrations
from infra.migrations import v3
from tests.inventory.fleet import fill
from tests.support.probe import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.tenantadm.service import Tenant

FROM = 3


@pytest.fixture
def tenant(server) -> Iterator[Tenant]:
    """A tenant for which ``manage migrate`` in later tests has nothing to wait for."""
    made = tenantadm.create_tenant("Acme")
    yield made
    control_items.ref(made.id).update([ControlItem.parts_from.remove()])


@pytest.fixture(autouse=True)
def _early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tenants are large from 3 devices on, and every change asks for a new snapshot."""
    monkeypatch.setattr(growth, "LARGE_FROM", FROM)
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES", 1)


def count(tenant: TenantId) -> int:
    return control.get(tenant, fresh=True).parts


def test_a_tenant_with_many_devices_becomes_large_and_stores_in_parts_a_minute_later(tenant: Tenant) -> None:
    fill(tenant.id, FROM - 1, "few")
    building.rebuild(tenant.id)
    assert count(tenant.id) == 1
    ids = fill(tenant.id, FROM, "many")
    building.rebuild(tenant.id)

    assert (count(tenant.id), control.get(tenant.id).parts_to_write) == (parts.LARGE, 1)
    since = control.get(tenant.id).parts_from
    fill(tenant.id, 1, "more")
    assert {len(each.partition.rsplit("#", 1)[1]) for each in changes.read(tenant.id)} == {1}
    with time_machine.travel(clock.now() + timedelta(minutes=2)):
        assert control.get(tenant.id, fresh=True).parts_to_write == parts.LARGE
        ids += fill(tenant.id, 1, "later")
        assert {len(each.partition.rsplit("#", 1)[1]) for each in changes.read(tenant.id)} == {1, 2}
        building.rebuild(tenant.id)
        assert control.get(tenant.id, fresh=True).parts_from == since, "it becomes large once"
        found = inventory.search(tenant.id, Query(), 0, 20, None)[0]
        assert {device.id for device in found} >= {*ids, "few-00000", "more-00000"}


def test_data_of_an_earlier_version_are_not_divided(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "_VERSION", migrations.CURRENT + 1)
    fill(tenant.id, FROM, "many")
    building.rebuild(tenant.id)
    assert count(tenant.id) == 1


def test_a_small_tenant_reads_nothing_more(tenant: Tenant, warm: None) -> None:
    with counted() as cost:
        assert not growth.consider(tenant.id, FROM - 1)
    assert cost.calls == []


def test_a_removed_tenant_does_not_become_large(server) -> None:
    assert not growth.consider(TenantId("f" * 24), FROM)
    assert count(TenantId("f" * 24)) == 1


def test_the_migration_knows_the_same_numbers() -> None:
    assert (v3.PARTS, v3.FROM) == (parts.LARGE, parts.LARGE_FROM)

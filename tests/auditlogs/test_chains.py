"""Hash chains of audit entries: written with their change, and showing any later modification."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import clock
from chalicelib.auditlogs import service, tables
from chalicelib.auditlogs.rules import chains
from chalicelib.auditlogs.rules.entries import hash_of
from chalicelib.auditlogs.service import Action, Object, ObjectType, recording
from chalicelib.auditlogs.tables import EntryItem, HeadItem
from chalicelib.errors import Unavailable
from chalicelib.rights import EVERYTHING
from chalicelib.storage import keys
from chalicelib.storage.transactions import ConditionFailed, Transaction
from chalicelib.tenantadm import service as tenantadm
from chalicelib.tenantadm import service as tenants
from chalicelib.useradm.tables.settings import SettingsItem
from tests.support.probe import counted

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm.service import Tenant


@pytest.fixture
def one_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """All entries go to chain 0."""
    monkeypatch.setattr(chains, "UNDIVIDED", range(1))


def release(name: str = "n") -> Object:
    return Object(ObjectType.RELEASE, name, {"name": name})


def write(tenant: TenantId, number: int = 0, **more: Any) -> None:
    """A change with an entry."""
    tx = Transaction()
    tx.put(SettingsItem(keys.partition(tenant, "TEST"), str(number), document=number, etag="e"))
    service.record(tx, tenant, Action.UPDATE, release(f"thing-{number}"), **more)
    tx.commit()


def stored(tenant: TenantId) -> list[EntryItem]:
    return [item for shard in range(64) for item in EntryItem.query(keys.partition(tenant, str(shard)))]


def numbers(tenant: TenantId) -> list[int]:
    return [json.loads(item.content)["number"] for item in stored(tenant)]


def findings(tenant: TenantId) -> list[str]:
    return list(service.verify(tenant))


def test_an_entry_is_written_with_its_change(tenant: Tenant):
    before = numbers(tenant.id)
    write(tenant.id, change="it is so", meta={"path": ["/etc"]})

    [entry] = [found for found in tables.by_time(tenant.id, None, None, newest_first=True) if found.action == "update"]
    assert len(numbers(tenant.id)) == len(before) + 1
    assert (entry.object_type, entry.object_id, entry.about) == ("release", "thing-0", {"name": "thing-0"})
    assert (entry.change, entry.meta, entry.actor_type) == ("it is so", {"path": ["/etc"]}, "system")
    assert findings(tenant.id) == []


def test_a_failed_change_writes_no_entry(tenant: Tenant):
    before = numbers(tenant.id)
    tx = Transaction()
    item = SettingsItem(keys.partition(tenant.id, "TEST"), "0", document=1, etag="e")
    tx.put(item, SettingsItem.pk.exists(), label="mine")
    service.record(tx, tenant.id, Action.UPDATE, release())

    with pytest.raises(ConditionFailed) as caught:
        tx.commit()

    assert set(caught.value.failed) == {"mine"}
    assert numbers(tenant.id) == before


def test_several_entries_of_one_change_are_consecutive(tenant: Tenant, one_chain: None):
    before = len(numbers(tenant.id))
    tx = Transaction()
    for number in range(3):
        service.record(tx, tenant.id, Action.UPDATE, release(str(number)))
    tx.commit()

    assert numbers(tenant.id) == list(range(1, before + 4))
    assert findings(tenant.id) == []


def test_the_cost_of_an_entry(tenant: Tenant, warm: None):
    with counted() as without:
        tx = Transaction()
        tx.put(SettingsItem(keys.partition(tenant.id, "TEST"), "0", document=1, etag="e"))
        tx.commit()
    with counted() as cost:
        write(tenant.id)

    assert cost.calls == ["GetItem", *without.calls]
    assert cost.read_units - without.read_units == 1
    # Two transactional writes of up to 1 KB each.
    assert cost.write_units - without.write_units == 4


@pytest.mark.parametrize("shards", [1, 8])
def test_concurrent_changes(tenant: Tenant, shards: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chains, "UNDIVIDED", range(shards))
    before = len(numbers(tenant.id))

    def change(number: int) -> bool:
        try:
            write(tenant.id, number)
        except Unavailable:  # it lost against the others
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        made = sum(threads.map(change, range(48)))

    assert made == 48 if shards > 1 else made > 0
    assert len(numbers(tenant.id)) == before + made
    assert findings(tenant.id) == []


def test_a_clock_that_goes_back_does_not_change_the_order_of_a_chain(
    tenant: Tenant, one_chain: None, monkeypatch: pytest.MonkeyPatch
):

    write(tenant.id, 1)
    monkeypatch.setattr(clock, "now", lambda: datetime(2020, 1, 1, tzinfo=UTC))
    write(tenant.id, 2)

    assert numbers(tenant.id) == sorted(numbers(tenant.id))
    assert findings(tenant.id) == []


class TestTampering:
    """Every modified row of the table is reported."""

    @pytest.fixture
    def rows(self, tenant: Tenant, one_chain: None) -> list[EntryItem]:
        for number in range(6):
            write(tenant.id, number)
        assert findings(tenant.id) == []
        return stored(tenant.id)

    def name(self, row: EntryItem) -> str:
        return f"chain 0: {row.sk}"

    def test_changed_content(self, tenant: Tenant, rows: list[EntryItem]):
        rows[2].update([EntryItem.content.set(rows[2].content.replace(b"thing", b"other"))])

        assert findings(tenant.id) == [f"{self.name(rows[2])} was altered"]

    def test_changed_content_with_a_new_hash(self, tenant: Tenant, rows: list[EntryItem]):
        content = rows[2].content.replace(b"thing", b"other")
        rows[2].update([EntryItem.content.set(content), EntryItem.hash.set(hash_of(content))])

        assert findings(tenant.id) == [f"{self.name(rows[3])} does not follow number 3: one of the two was altered"]

    def test_changed_last_content_with_a_new_hash(self, tenant: Tenant, rows: list[EntryItem]):
        content = rows[-1].content.replace(b"thing", b"other")
        rows[-1].update([EntryItem.content.set(content), EntryItem.hash.set(hash_of(content))])

        assert findings(tenant.id) == [
            f"{self.name(rows[-1])} is not the entry that the chain's head names: it was altered"
        ]

    def test_garbage(self, tenant: Tenant, rows: list[EntryItem]):
        rows[2].update([EntryItem.content.set(b"\xff")])

        assert findings(tenant.id) == [f"{self.name(rows[2])} was altered", "chain 0: number 3 missing"]

    @pytest.mark.parametrize("attribute", ["list_pk", "list_sk", "expires_at"])
    def test_changed_attributes_for_lists_and_expiry(self, tenant: Tenant, rows: list[EntryItem], attribute: str):
        value = 1 if attribute == "expires_at" else "T#elsewhere"
        rows[2].update([getattr(EntryItem, attribute).set(value)])

        assert findings(tenant.id) == [f"{self.name(rows[2])} was altered"]

    def test_a_deleted_row(self, tenant: Tenant, rows: list[EntryItem]):
        rows[2].delete()

        assert findings(tenant.id) == ["chain 0: number 3 missing"]

    def test_a_deleted_beginning(self, tenant: Tenant, rows: list[EntryItem]):
        rows[0].delete()
        rows[1].delete()

        assert findings(tenant.id) == ["chain 0: numbers 1 to 2 missing"]

    def test_a_deleted_end(self, tenant: Tenant, rows: list[EntryItem]):
        rows[-2].delete()
        rows[-1].delete()

        assert findings(tenant.id) == [f"chain 0: numbers {len(rows) - 1} to {len(rows)} missing"]

    def test_all_rows_deleted(self, tenant: Tenant, rows: list[EntryItem]):
        for row in rows:
            row.delete()

        assert findings(tenant.id) == [f"chain 0: numbers 1 to {len(rows)} missing"]

    def test_swapped_rows(self, tenant: Tenant, rows: list[EntryItem]):
        one, other = rows[2], rows[3]
        first, second = (one.content, one.hash), (other.content, other.hash)
        one.update([EntryItem.content.set(second[0]), EntryItem.hash.set(second[1])])
        other.update([EntryItem.content.set(first[0]), EntryItem.hash.set(first[1])])

        found = findings(tenant.id)
        assert f"{self.name(one)} was altered" in found
        assert f"{self.name(other)} was altered" in found

    def test_a_row_from_another_tenant(self, server: Any, tenant: Tenant, rows: list[EntryItem]):
        other = tenants.create_tenant("Other").id
        write(other, 0)
        strange = stored(other)[-1]
        EntryItem(
            rows[0].pk,
            strange.sk,
            content=strange.content,
            hash=strange.hash,
            expires_at=strange.expires_at,
            list_pk=rows[0].list_pk,
            list_sk=strange.list_sk,
        ).save()

        assert f"chain 0: {strange.sk} was altered" in findings(tenant.id)

    def test_an_added_row(self, tenant: Tenant, rows: list[EntryItem]):
        head = HeadItem.get(keys.partition(tenant.id), "0")
        write(tenant.id, 9)
        head.save()

        assert findings(tenant.id) == [f"chain 0: what comes after number {len(rows)} was not added by the server"]

    def test_a_deleted_chain_head(self, tenant: Tenant, rows: list[EntryItem]):
        HeadItem(keys.partition(tenant.id), "0").delete()

        assert findings(tenant.id) == ["chain 0: what comes after number 0 was not added by the server"]


class TestExpiry:
    """Expired entries do not count as missing."""

    @pytest.fixture(autouse=True)
    def short(self, one_chain: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recording, "_DAY", 0)

    def test_the_expired_beginning(self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch):
        write(tenant.id, 1)
        gone = stored(tenant.id)
        monkeypatch.setattr(recording, "_DAY", 1000)
        write(tenant.id, 2)
        write(tenant.id, 3)
        for row in gone:
            row.delete()

        assert findings(tenant.id) == []
        stored(tenant.id)[0].delete()
        assert findings(tenant.id) == [f"chain 0: numbers 1 to {len(gone) + 1} missing"]

    def test_an_entry_deleted_before_its_expiry_is_missing(self, tenant: Tenant):
        for number in range(4):
            write(tenant.id, number)
        stored(tenant.id)[2].delete()

        assert findings(tenant.id) == []

    def test_a_completely_expired_chain(self, tenant: Tenant):
        write(tenant.id)
        for row in stored(tenant.id):
            row.delete()

        assert findings(tenant.id) == []
        write(tenant.id)
        assert findings(tenant.id) == []

    def test_entries_expire_in_the_order_of_the_chain(self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(recording, "_DAY", 1000)
        write(tenant.id, 1)
        monkeypatch.setattr(recording, "_DAY", 1)
        write(tenant.id, 2)

        one, other = [int(row.expires_at) for row in stored(tenant.id)][-2:]
        assert other == one


def test_a_tenant_can_set_the_retention(tenant: Tenant):
    tenantadm.save_settings(tenant.id, {"audit_days": 700}, by=EVERYTHING)
    write(tenant.id)

    entry = next(iter(tables.by_time(tenant.id, None, None, newest_first=True)))
    assert entry.expires - entry.time // 1000 == 700 * 86_400

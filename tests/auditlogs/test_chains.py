"""Chains of entries: written with their change, and seen through when somebody changes what was written."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import clock
from chalicelib.auditlogs import service, tables
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
    monkeypatch.setattr(recording, "_SHARDS", 1)


def thing(name: str = "n") -> Object:
    return Object(ObjectType.RELEASE, name, {"name": name})


def write(tenant: TenantId, number: int = 0, **more: Any) -> None:
    """A change with an entry."""
    tx = Transaction()
    tx.put(SettingsItem(keys.partition(tenant, "TEST"), str(number), document=number, etag="e"))
    service.record(tx, tenant, Action.UPDATE, thing(f"thing-{number}"), **more)
    tx.commit()


def stored(tenant: TenantId) -> list[EntryItem]:
    return [item for shard in range(64) for item in EntryItem.query(keys.partition(tenant, str(shard)))]


def numbers(tenant: TenantId) -> list[int]:
    return [json.loads(item.content)["number"] for item in stored(tenant)]


def findings(tenant: TenantId) -> list[str]:
    return list(service.verify(tenant))


def test_an_entry_comes_with_its_change(tenant: Tenant):
    before = numbers(tenant.id)
    write(tenant.id, change="it is so", meta={"path": ["/etc"]})

    [entry] = [found for found in tables.by_time(tenant.id, None, None, newest_first=True) if found.action == "update"]
    assert len(numbers(tenant.id)) == len(before) + 1
    assert (entry.object_type, entry.object_id, entry.about) == ("release", "thing-0", {"name": "thing-0"})
    assert (entry.change, entry.meta, entry.actor_type) == ("it is so", {"path": ["/etc"]}, "system")
    assert findings(tenant.id) == []


def test_no_entry_without_its_change(tenant: Tenant):
    before = numbers(tenant.id)
    tx = Transaction()
    item = SettingsItem(keys.partition(tenant.id, "TEST"), "0", document=1, etag="e")
    tx.put(item, SettingsItem.pk.exists(), label="mine")
    service.record(tx, tenant.id, Action.UPDATE, thing())

    with pytest.raises(ConditionFailed) as caught:
        tx.commit()

    assert set(caught.value.failed) == {"mine"}
    assert numbers(tenant.id) == before


def test_several_entries_of_one_change_follow_each_other(tenant: Tenant, one_chain: None):
    before = len(numbers(tenant.id))
    tx = Transaction()
    for number in range(3):
        service.record(tx, tenant.id, Action.UPDATE, thing(str(number)))
    tx.commit()

    assert numbers(tenant.id) == list(range(1, before + 4))
    assert findings(tenant.id) == []


def test_what_an_entry_costs(tenant: Tenant, warm: None):
    with counted() as without:
        tx = Transaction()
        tx.put(SettingsItem(keys.partition(tenant.id, "TEST"), "0", document=1, etag="e"))
        tx.commit()
    with counted() as cost:
        write(tenant.id)

    assert cost.calls == ["GetItem", *without.calls]
    assert cost.read_units - without.read_units == 1
    # Two writes of a transaction, each up to 1 KB.
    assert cost.write_units - without.write_units == 4


@pytest.mark.parametrize("shards", [1, 8])
def test_changes_at_the_same_moment(tenant: Tenant, shards: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recording, "_SHARDS", shards)
    before = len(numbers(tenant.id))

    def change(number: int) -> bool:
        try:
            write(tenant.id, number)
        except Unavailable:  # the others did not let it through
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        made = sum(threads.map(change, range(48)))

    assert made == 48 if shards > 1 else made > 0
    assert len(numbers(tenant.id)) == before + made
    assert findings(tenant.id) == []


def test_a_clock_that_goes_back_does_not_turn_a_chain(tenant: Tenant, one_chain: None, monkeypatch: pytest.MonkeyPatch):

    write(tenant.id, 1)
    monkeypatch.setattr(clock, "now", lambda: datetime(2020, 1, 1, tzinfo=UTC))
    write(tenant.id, 2)

    assert numbers(tenant.id) == sorted(numbers(tenant.id))
    assert findings(tenant.id) == []


class TestTampering:
    """Each row of the raw table that somebody touched is named."""

    @pytest.fixture
    def rows(self, tenant: Tenant, one_chain: None) -> list[EntryItem]:
        for number in range(6):
            write(tenant.id, number)
        assert findings(tenant.id) == []
        return stored(tenant.id)

    def name(self, row: EntryItem) -> str:
        return f"chain 0: {row.sk}"

    def test_another_content(self, tenant: Tenant, rows: list[EntryItem]):
        rows[2].update([EntryItem.content.set(rows[2].content.replace(b"thing", b"other"))])

        assert findings(tenant.id) == [f"{self.name(rows[2])} was altered"]

    def test_another_content_with_its_hash(self, tenant: Tenant, rows: list[EntryItem]):
        content = rows[2].content.replace(b"thing", b"other")
        rows[2].update([EntryItem.content.set(content), EntryItem.hash.set(hash_of(content))])

        assert findings(tenant.id) == [f"{self.name(rows[3])} does not follow number 3: one of the two was altered"]

    def test_the_last_content_with_its_hash(self, tenant: Tenant, rows: list[EntryItem]):
        content = rows[-1].content.replace(b"thing", b"other")
        rows[-1].update([EntryItem.content.set(content), EntryItem.hash.set(hash_of(content))])

        assert findings(tenant.id) == [
            f"{self.name(rows[-1])} is not the entry that the chain's head names: it was altered"
        ]

    def test_garbage(self, tenant: Tenant, rows: list[EntryItem]):
        rows[2].update([EntryItem.content.set(b"\xff")])

        assert findings(tenant.id) == [f"{self.name(rows[2])} was altered", "chain 0: number 3 missing"]

    @pytest.mark.parametrize("attribute", ["list_pk", "list_sk", "expires_at"])
    def test_what_lists_and_expiry_go_by(self, tenant: Tenant, rows: list[EntryItem], attribute: str):
        value = 1 if attribute == "expires_at" else "T#elsewhere"
        rows[2].update([getattr(EntryItem, attribute).set(value)])

        assert findings(tenant.id) == [f"{self.name(rows[2])} was altered"]

    def test_one_row_gone(self, tenant: Tenant, rows: list[EntryItem]):
        rows[2].delete()

        assert findings(tenant.id) == ["chain 0: number 3 missing"]

    def test_the_beginning_gone(self, tenant: Tenant, rows: list[EntryItem]):
        rows[0].delete()
        rows[1].delete()

        assert findings(tenant.id) == ["chain 0: numbers 1 to 2 missing"]

    def test_the_end_gone(self, tenant: Tenant, rows: list[EntryItem]):
        rows[-2].delete()
        rows[-1].delete()

        assert findings(tenant.id) == [f"chain 0: numbers {len(rows) - 1} to {len(rows)} missing"]

    def test_everything_gone(self, tenant: Tenant, rows: list[EntryItem]):
        for row in rows:
            row.delete()

        assert findings(tenant.id) == [f"chain 0: numbers 1 to {len(rows)} missing"]

    def test_two_rows_swapped(self, tenant: Tenant, rows: list[EntryItem]):
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

    def test_a_row_that_nobody_wrote(self, tenant: Tenant, rows: list[EntryItem]):
        head = HeadItem.get(keys.partition(tenant.id), "0")
        write(tenant.id, 9)
        head.save()

        assert findings(tenant.id) == [f"chain 0: what comes after number {len(rows)} was not added by the server"]

    def test_the_head_gone(self, tenant: Tenant, rows: list[EntryItem]):
        HeadItem(keys.partition(tenant.id), "0").delete()

        assert findings(tenant.id) == ["chain 0: what comes after number 0 was not added by the server"]


class TestExpiry:
    """What is gone because its time was over is not missing."""

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

    def test_what_is_deleted_out_of_turn(self, tenant: Tenant):
        for number in range(4):
            write(tenant.id, number)
        stored(tenant.id)[2].delete()

        assert findings(tenant.id) == []

    def test_all_of_it(self, tenant: Tenant):
        write(tenant.id)
        for row in stored(tenant.id):
            row.delete()

        assert findings(tenant.id) == []
        write(tenant.id)
        assert findings(tenant.id) == []

    def test_no_entry_goes_before_the_one_before_it(self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(recording, "_DAY", 1000)
        write(tenant.id, 1)
        monkeypatch.setattr(recording, "_DAY", 1)
        write(tenant.id, 2)

        one, other = [int(row.expires_at) for row in stored(tenant.id)][-2:]
        assert other == one


def test_a_tenant_may_say_how_long(tenant: Tenant):
    tenantadm.save_settings(tenant.id, {"audit_days": 700}, by=EVERYTHING)
    write(tenant.id)

    entry = next(iter(tables.by_time(tenant.id, None, None, newest_first=True)))
    assert entry.expires - entry.time // 1000 == 700 * 86_400

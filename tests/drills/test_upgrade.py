"""Data of an earlier version: detected, migrated despite interruptions, and never changed by older code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from chalicelib.fleet import control, control_items
from chalicelib.tenantadm import service as tenantadm
from infra import migrations
from infra.local.environment import applied
from infra.migrations import v3, v4
from infra.migrations.items import Tables
from tests.devauth.fleet import DEVICES, accept, decide
from tests.drills.conftest import Account, Site
from tests.fleet.test_open_deployments import end, fill
from tests.inventory.views import DEVICES as INVENTORY
from tests.simulator.device import Device
from tests.useradm.conftest import LOGIN, ME, USERS, bearer

if TYPE_CHECKING:
    import httpx2

    from tests.manage.conftest import Manage

PREFIX = "lamplighter-local-"
SCHEMA = {"pk": {"S": "SCHEMA"}, "sk": {"S": "SCHEMA"}}


@pytest.fixture
def dynamodb(server) -> Iterator[Any]:
    client = boto3.client("dynamodb")
    yield client
    client.close()


@pytest.fixture
def stored(dynamodb) -> Iterator[Any]:
    """Sets the version of the stored data, and restores it after the test."""

    def say(version: int | None) -> None:
        if version is None:
            dynamodb.delete_item(TableName=PREFIX + "tenantadm", Key=SCHEMA)
        else:
            dynamodb.put_item(TableName=PREFIX + "tenantadm", Item=SCHEMA | {"version": {"N": str(version)}})

    yield say
    say(migrations.CURRENT)


def old_form(dynamodb: Any, tenant: str, user: str) -> None:
    """Convert a tenant and its user to the form of version 1, which had no roles and no counter of changes."""
    for table, pk, sk, names in (
        ("tenantadm", f"T#{tenant}", "TENANT", ("version", "old_tokens", "notes", "given")),
        ("useradm", f"T#{tenant}#USERS", user, ("roles", "sso", "assigned", "verified", "tfa_status")),
    ):
        dynamodb.update_item(
            TableName=PREFIX + table,
            Key={"pk": {"S": pk}, "sk": {"S": sk}},
            UpdateExpression="REMOVE " + ", ".join(f"#{name}" for name in names),
            ExpressionAttributeNames={f"#{name}": name for name in names},
            ConditionExpression="attribute_exists(pk)",
        )


def items(dynamodb: Any, tenant: str, user: str) -> list[dict[str, Any]]:
    """A tenant and its user as they are stored."""
    return [
        dynamodb.get_item(TableName=PREFIX + table, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True)["Item"]
        for table, pk, sk in (
            ("tenantadm", f"T#{tenant}", "TENANT"),
            ("useradm", f"T#{tenant}#USERS", user),
        )
    ]


@pytest.mark.parametrize("noted", [1, None])
def test_old_items_are_read_and_brought_up_to_date(
    dynamodb, stored, manage: Manage, document, tenant, api: httpx2.Client, http: httpx2.Client, noted
):
    me = api.get(ME).json()
    old_form(dynamodb, tenant.id, me["id"])
    stored(noted)

    # New code is deployed first, so it has to read old items.
    assert http.post(LOGIN, auth=(me["email"], "a-long-enough-one")).status_code == 200
    assert api.get(USERS).status_code == 200
    waiting = manage("migrate", "--check")
    assert (waiting.returncode, "2: users hold" in waiting.stdout) == (4, True)
    assert "pending migrations of the stored data: 4" in manage("tenant", "show", tenant.id).stderr

    assert document("migrate")["changed"][tenant.id] == 2

    about, user = items(dynamodb, tenant.id, me["id"])
    assert about["version"] == {"N": "1"}
    assert user["roles"] == {"B": b'["RBAC_ROLE_PERMIT_ALL"]'}
    assert document("migrate") == {"version": migrations.CURRENT, "changed": {}}
    assert manage("migrate", "--check").returncode == 0
    assert manage("tenant", "show", tenant.id).stderr == ""
    # The server works with the migrated data.
    assert document("tenant", "set-limits", tenant.id, "--max-devices", "7")["max_devices"] == 7
    token = http.post(LOGIN, auth=(me["email"], "a-long-enough-one")).text
    assert http.get(ME, headers=bearer(token)).json()["roles"] == ["RBAC_ROLE_PERMIT_ALL"]


def test_a_migration_keeps_roles_that_users_already_have(dynamodb, stored, document, tenant, sign_in):
    me = sign_in(tenant, "RBAC_ROLE_CI").get(ME).json()
    before = items(dynamodb, tenant.id, me["id"])
    stored(1)

    assert document("migrate")["changed"][tenant.id] == 0

    assert items(dynamodb, tenant.id, me["id"]) == before


def test_older_code_leaves_newer_data_alone(stored, manage: Manage, tenant):
    stored(migrations.CURRENT + 1)

    for words in (("tenant", "list"), ("tenant", "suspend", tenant.id), ("migrate",), ("signing-key", "rotate")):
        refused = manage(*words)
        assert (refused.returncode, "use newer code" in refused.stderr) == (4, True)

    stored(migrations.CURRENT)
    assert manage("tenant", "show", tenant.id).stdout.count("status: active") == 1


WRITES_LEFT = [0]


class LimitedTables(Tables):
    """Allows :data:`WRITES_LEFT` writes, then fails."""

    def put(self, table: str, item: Any, condition: Any) -> bool:
        self._use()
        return super().put(table, item, condition)

    def complete(self, table: str, item: Any, name: str, value: Any) -> bool:
        self._use()
        return super().complete(table, item, name, value)

    def change(self, table: str, item: Any, values: Any, only_if: Any) -> bool:
        self._use()
        return super().change(table, item, values, only_if)

    def transact(self, writes: list[Any]) -> bool:
        self._use()
        return super().transact(writes)

    def _use(self) -> None:
        if not WRITES_LEFT[0]:
            raise BrokenPipeError
        WRITES_LEFT[0] -= 1


def test_a_migration_can_be_killed_at_any_write_and_started_again(site: Site, account: Account):
    """Uses its own storage, since each migration includes all tenants."""
    [person] = site.manage("user", "list", "--tenant", account.tenant)
    with applied(site.environment()):
        dynamodb = boto3.client("dynamodb")
        for writes in count():
            old_form(dynamodb, account.tenant, person["id"])
            dynamodb.put_item(TableName=PREFIX + "tenantadm", Item=SCHEMA | {"version": {"N": "1"}})
            WRITES_LEFT[0] = writes
            died = False
            try:
                list(replace(migrations.store(), tables=LimitedTables(dynamodb, PREFIX)).migrate())
            except BrokenPipeError:
                died = True
                assert migrations.store().version() < migrations.CURRENT, "it changes only when everything is done"
                list(migrations.store().migrate())

            assert migrations.store().version() == migrations.CURRENT
            about, user = items(dynamodb, account.tenant, person["id"])
            assert ("version" in about, "roles" in user) == (True, True)
            if not died:
                break
        dynamodb.close()
    assert writes == 6, "the tenant, its user, four versions"


def undivided(tenant: str) -> list[str]:
    """The ids of a tenant's devices that are not in a part, in both lists."""
    found: list[str] = []
    for table in ("devauth", "inventory"):
        rows = migrations.store().tables.query(table, f"T#{tenant}", index="list", key="list_pk")
        found += [row["list_sk"]["S"].rsplit("#", 1)[-1] for row in rows]
    return found


def test_a_division_into_parts_can_be_killed_at_any_write_and_started_again(tenant, api, http, monkeypatch):
    """The server serves meanwhile; every device is always listed and counted once."""
    devices = [Device(http, tenant.tenant_token) for _ in range(4)]
    for device in devices[:2]:
        accept(api, device)
    for device in devices[2:]:
        device.auth()
    ids = [each["id"] for each in api.get(DEVICES).json()]
    monkeypatch.setattr(v3, "NOTICE", 0.0)
    monkeypatch.setattr(v3, "PARTS", 4)  # for short lists
    assert v3.run(migrations.store().tables, tenant.id) == 0, "it has few devices"
    monkeypatch.setattr(v3, "FROM", 4)
    control.get(tenant.id, fresh=True)
    tables = migrations.store().tables
    writes = 0
    while undivided(tenant.id) or not writes:
        WRITES_LEFT[0] = 1
        with suppress(BrokenPipeError):
            v3.run(LimitedTables(tables.client, tables.prefix), tenant.id)
        writes += 1
        control.forget(tenant.id)  # as after a few seconds
        assert [each["id"] for each in api.get(DEVICES).json()] == ids
        assert [each["id"] for each in api.get(INVENTORY).json()] == sorted(ids)
        assert api.get(f"{DEVICES}/count").json() == {"count": 4}
        assert all(device.auth().status_code == 200 for device in devices[:2])
    assert writes == 9, "the control item, and each device in two lists"
    assert v3.run(tables, tenant.id) == 0
    # Decisions after that count in parts, and the limit is still exact.
    tenantadm.set_limits(tenant.id, max_devices=3)
    assert sorted(decide(api, device, "accepted").status_code for device in devices[2:]) == [204, 422]
    assert api.get(f"{DEVICES}/count", params={"status": "accepted"}).json() == {"count": 3}


def test_moving_open_deployments_can_be_killed_at_any_write_and_started_again(tenant, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(control_items, "_PAGES_KNOWN", migrations.CURRENT + 1)
        added = fill(tenant.id, 3 * v4.RECENT + 1)
    tables = migrations.store().tables
    for _ in range(3):
        WRITES_LEFT[0] = 1
        with suppress(BrokenPipeError):
            v4.run(LimitedTables(tables.client, tables.prefix), tenant.id)
        # Each is listed once, and can end.
        end(tenant.id, added.pop(0))
        assert list(control.get(tenant.id, fresh=True).open) == added
    assert v4.run(tables, tenant.id) == 0


def test_migrations_have_no_gaps():
    assert [each.version for each in migrations.MIGRATIONS] == list(range(2, migrations.CURRENT + 1))

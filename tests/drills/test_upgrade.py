"""Data of an earlier version: detected, migrated despite interruptions, and never changed by older code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
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
from tests.conftest import PASSWORD
from tests.devauth.fleet import DEVICES, accept, decide
from tests.drills.conftest import Account, Site, new_account, new_site
from tests.fleet.test_open_deployments import end, fill
from tests.inventory.views import DEVICES as INVENTORY
from tests.manage.conftest import run
from tests.simulator.device import Device
from tests.useradm.conftest import ME, USERS, bearer

if TYPE_CHECKING:
    import subprocess

    import httpx2


PREFIX = "lamplighter-local-"
SCHEMA = {"pk": {"S": "SCHEMA"}, "sk": {"S": "SCHEMA"}}


@dataclass
class Upgrade:
    """A small server with storage of its own, since each migration includes all tenants."""

    site: Site
    account: Account
    dynamodb: Any
    http: httpx2.Client

    @property
    def tenant(self) -> str:
        """The id of the only tenant."""
        return self.account.tenant

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run an admin's command."""
        return run(self.site.environment(), *words)

    def stored(self, version: int | None) -> None:
        """Set the version of the stored data."""
        if version is None:
            self.dynamodb.delete_item(TableName=PREFIX + "tenantadm", Key=SCHEMA)
        else:
            self.dynamodb.put_item(TableName=PREFIX + "tenantadm", Item=SCHEMA | {"version": {"N": str(version)}})

    def get(self, path: str) -> Any:
        """What the tenant's admin reads."""
        answer = self.http.get(path, headers=bearer(self.account.log_in(self.http)))
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgrade]:
    with new_site(tmp_path_factory.mktemp("upgrade")) as site:
        account = new_account(site)
        with applied(site.environment()):
            dynamodb = boto3.client("dynamodb")
        with site.serving() as http:
            yield Upgrade(site, account, dynamodb, http)
        dynamodb.close()


@pytest.fixture
def upgrade(running: Upgrade) -> Iterator[Upgrade]:
    """The server; the version of its data is restored after the test."""
    yield running
    running.stored(migrations.CURRENT)


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
def test_old_items_are_read_and_brought_up_to_date(upgrade: Upgrade, noted: int | None) -> None:
    tenant, me = upgrade.tenant, upgrade.get(ME)
    old_form(upgrade.dynamodb, tenant, me["id"])
    upgrade.stored(noted)

    # New code is deployed first, so it has to read old items.
    assert upgrade.get(USERS)
    waiting = upgrade.manage("migrate", "--check")
    assert (waiting.returncode, "2: users hold" in waiting.stdout) == (4, True)
    assert "pending migrations of the stored data: 4" in upgrade.manage("tenant", "show", tenant).stderr

    assert upgrade.site.manage("migrate")["changed"][tenant] == 2

    about, user = items(upgrade.dynamodb, tenant, me["id"])
    assert about["version"] == {"N": "1"}
    assert user["roles"] == {"B": b'["RBAC_ROLE_PERMIT_ALL"]'}
    assert upgrade.site.manage("migrate") == {"version": migrations.CURRENT, "changed": {}}
    assert upgrade.manage("migrate", "--check").returncode == 0
    assert upgrade.manage("tenant", "show", tenant).stderr == ""
    # The server works with the migrated data.
    assert upgrade.site.manage("tenant", "set-limits", tenant, "--max-devices", "7")["max_devices"] == 7
    assert upgrade.get(ME)["roles"] == ["RBAC_ROLE_PERMIT_ALL"]


def test_a_migration_keeps_roles_that_users_already_have(upgrade: Upgrade) -> None:
    new = {"email": "ci@acme.example", "password": PASSWORD, "roles": ["RBAC_ROLE_CI"]}
    headers = bearer(upgrade.account.log_in(upgrade.http))
    assert upgrade.http.post(USERS, json=new, headers=headers).status_code == 201
    [user] = [each for each in upgrade.get(USERS) if each["email"] == new["email"]]
    before = items(upgrade.dynamodb, upgrade.tenant, user["id"])
    assert before[1]["roles"] == {"B": b'["RBAC_ROLE_CI"]'}
    upgrade.stored(1)

    assert upgrade.site.manage("migrate")["changed"][upgrade.tenant] == 0

    assert items(upgrade.dynamodb, upgrade.tenant, user["id"]) == before


def test_older_code_leaves_newer_data_alone(upgrade: Upgrade) -> None:
    upgrade.stored(migrations.CURRENT + 1)

    suspending = ("tenant", "suspend", upgrade.tenant)
    for words in (("tenant", "list"), suspending, ("migrate",), ("signing-key", "rotate")):
        refused = upgrade.manage(*words)
        assert (refused.returncode, "use newer code" in refused.stderr) == (4, True)

    upgrade.stored(migrations.CURRENT)
    assert upgrade.manage("tenant", "show", upgrade.tenant).stdout.count("status: active") == 1


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


def test_a_migration_can_be_killed_at_any_write_and_started_again(upgrade: Upgrade) -> None:
    tenant, me = upgrade.tenant, upgrade.get(ME)
    with applied(upgrade.site.environment()):
        for writes in count():
            old_form(upgrade.dynamodb, tenant, me["id"])
            upgrade.stored(1)
            WRITES_LEFT[0] = writes
            died = False
            try:
                list(replace(migrations.store(), tables=LimitedTables(upgrade.dynamodb, PREFIX)).migrate())
            except BrokenPipeError:
                died = True
                assert migrations.store().version() < migrations.CURRENT, "it changes only when everything is done"
                list(migrations.store().migrate())

            assert migrations.store().version() == migrations.CURRENT
            about, user = items(upgrade.dynamodb, tenant, me["id"])
            assert ("version" in about, "roles" in user) == (True, True)
            if not died:
                break
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

"""What the audit entries of changes contain: the user, the texts, one entry for each device, all or nothing.

``tests/all_routes`` checks that each change has an entry.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx2
import pytest

from chalicelib.actor import Acting, Actor
from chalicelib.auditlogs import service
from chalicelib.deployments.service import managing as deployments
from chalicelib.inventory import service as inventory
from chalicelib.rights import EVERYWHERE
from tests.auditlogs.conftest import EXPORT, LOGS, Log
from tests.conftest import PASSWORD
from tests.deployments.world import World, serves
from tests.roles.test_roles import ROLES, role, scoped
from tests.simulator.artifacts import build_artifact
from tests.support.crashes import each_crash

if TYPE_CHECKING:
    from infra.local.testing import LocalServer

INVENTORY = "/api/management/v1/inventory"
USERS = "/api/management/v1/useradm/users"
UPLOADS = "/api/management/v1/deployments/artifacts/directupload"


@pytest.fixture
def world(log: Log, http: httpx2.Client) -> World:
    return World(log.api, http, log.tenant.tenant_token)


def test_a_direct_upload_is_attributed_to_the_user_who_completed_it(log: Log, server: LocalServer):
    link = log.api.post(UPLOADS).json()
    assert httpx2.put(link["uri"], content=build_artifact("direct", ("pi",))).status_code == 200
    assert log.api.post(f"{UPLOADS}/{link['id']}/complete").status_code == 202
    server.drain()

    [entry] = log.get(object_id=link["id"])

    me = log.api.get(f"{USERS}/me").json()
    assert entry["actor"] == {"id": me["id"], "type": "user", "email": me["email"]}
    assert (entry["action"], entry["object"]["artifact"]) == ("upload", {"name": "direct"})


def test_a_refused_file_has_no_entry(log: Log, server: LocalServer):
    link = log.api.post(UPLOADS).json()
    assert httpx2.put(link["uri"], content=b"no artifact").status_code == 200
    log.api.post(f"{UPLOADS}/{link['id']}/complete")
    server.drain()

    assert log.get(object_type="artifact") == []


def test_the_entry_of_a_new_address(log: Log):
    made = log.api.post(USERS, json={"email": "old@example.com", "password": PASSWORD})
    user = made.headers["Location"].rsplit("/", 1)[-1]
    assert log.api.put(f"{USERS}/{user}", json={"email": f"{user}@example.com"}).status_code == 204

    changed, created = log.get(object_id=user)

    assert created["object"] == {"id": user, "type": "user", "user": {"email": "old@example.com"}}
    assert changed["change"].startswith("Updated user old@example.com:\n")
    assert changed["change"].endswith(f"-> {user}@example.com")


def test_passwords_are_not_in_entries(log: Log):
    other = "quite another one"
    body = {"current_password": PASSWORD, "password": other}
    assert log.api.put(f"{USERS}/me", json=body).status_code == 204

    assert next(entry["action"] for entry in log.get(object_type="user")) == "password_change"
    told = log.api.get(EXPORT).text
    assert PASSWORD not in told
    assert other not in told


def test_moving_several_devices_writes_an_entry_for_each(log: Log, world: World):
    devices = [world.device().id for _ in range(20)]
    answer = log.api.patch(f"{INVENTORY}/groups/many/devices", json=[*devices, "unknown"])
    assert answer.json() == {"matched_count": 20, "updated_count": 20}
    log.api.patch(f"{INVENTORY}/groups/many/devices", json=devices)

    moves = [entry for entry in log.get(object_type="device") if entry["change"].startswith("Group")]

    assert sorted(entry["object"]["id"] for entry in moves) == sorted(devices)
    assert {entry["change"] for entry in moves} == {"Group: (none) -> many"}


def test_repeating_a_change_writes_no_entry(log: Log, world: World):
    device = world.device()
    tags = [{"name": "site", "value": "north"}]
    for _ in range(2):
        log.api.put(f"{INVENTORY}/devices/{device.id}/tags", json=tags)
        log.api.put(f"{INVENTORY}/devices/{device.id}/group", json={"group": "g"})
        log.api.delete(f"{INVENTORY}/devices/{device.id}")
        log.api.post("/api/management/v1/useradm/settings", json={"a": 1})

    changes = [entry["change"] for entry in log.get(object_id=device.id)]
    assert changes[:2] == ["Group: (none) -> g", 'Tags: site: (none) -> "north"']
    assert len(changes) == 3
    assert [entry["change"] for entry in log.get(object_type="settings")] == ["Changed: a"]


def test_calls_of_devices_write_no_entries(log: Log, world: World, monkeypatch: pytest.MonkeyPatch):
    device = world.device()
    world.upload("one")
    deployment = world.deploy("one", [device.id])
    before = len(log.get())

    with monkeypatch.context() as patch:
        patch.setattr(service, "record", lambda *_, **__: pytest.fail("a device's call writes an entry"))
        serves(device.poll(), deployment)
        for status in ("downloading", "installing", "success"):
            assert device.report(deployment, status).status_code == 204
        assert device.inventory().status_code == 200
        assert device.auth().status_code == 200

    assert len(log.get()) == before


def test_reading_the_log_requires_permission(log: Log, sign_in, http: httpx2.Client):
    assert log.api.post(ROLES, json=role("Viewer", scoped("ReadReleases"))).status_code == 201
    assert log.api.post(ROLES, json=role("Auditor", scoped("ReadAuditLogs"))).status_code == 201
    statuses = {}
    for name in ("Viewer", "Auditor"):
        email = f"{uuid.uuid4().hex}@example.com"
        assert log.api.post(USERS, json={"email": email, "password": PASSWORD, "roles": [name]}).status_code == 201
        token = http.post("/api/management/v1/useradm/auth/login", auth=(email, PASSWORD)).text
        headers = {"Authorization": f"Bearer {token}"}
        statuses[name] = [http.get(path, headers=headers).status_code for path in (LOGS, EXPORT)]

    assert statuses == {"Viewer": [403, 403], "Auditor": [200, 200]}


def test_concurrent_changes_of_many_users(log: Log, world: World):
    device = world.device()
    tagging = f"{INVENTORY}/devices/{device.id}/tags"

    def change(number: int) -> int:
        if number % 2:
            return log.api.post(
                USERS, json={"email": f"{uuid.uuid4().hex}@a.example", "password": PASSWORD}
            ).status_code
        return log.api.patch(tagging, json=[{"name": "n", "value": str(number)}]).status_code

    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(change, range(32)))

    made = len([status for status in statuses if status < 300])
    assert set(statuses) <= {200, 201, 503}
    assert made > 16
    entries = [
        entry for entry in log.get() if entry.get("change", "").startswith("Tags") or entry["action"] == "create"
    ]
    users = [user for user in log.api.get(USERS).json() if user["email"].endswith("@a.example")]
    mine = [entry for entry in entries if entry["object"].get("user", {}).get("email", "").endswith("@a.example")]
    assert len(mine) == len(users) == statuses.count(201)
    assert len([entry for entry in entries if entry["object"]["type"] == "device"]) == statuses.count(200)
    assert list(service.verify(log.tenant.id)) == []


class TestCrashes:
    """A crash leaves neither a change without its entry nor an entry without its change."""

    def test_moving_devices(self, log: Log, world: World):
        devices = [world.device().id for _ in range(3)]
        target = ["a"]

        def move() -> None:
            with Acting(Actor("user", "u")):
                inventory.put_many(log.tenant.id, target[0], devices)

        for number, _ in enumerate(each_crash(move)):
            groups = {device: log.api.get(f"{INVENTORY}/devices/{device}/group").json()["group"] for device in devices}
            for device, group in groups.items():
                moves = [entry["change"] for entry in log.get(object_id=device) if "Group" in entry["change"]]
                assert moves[0].endswith(f"-> {group}") if group else not moves, (number, group, moves)
            if groups[devices[0]] == target[0]:
                target[0] += "a"

        assert list(service.verify(log.tenant.id)) == []

    def test_deleting_the_history_of_a_device(self, log: Log, world: World):
        device = world.device()
        world.upload("one")
        for _ in range(2):
            deployment = world.deploy("one", [device.id], name=uuid.uuid4().hex, force_installation=True)
            serves(device.poll(), deployment)
            assert device.report(deployment, "success").status_code == 204

        def forget() -> None:
            with Acting(Actor("user", "u")):
                deployments.forget_history(log.tenant.id, device.id, (EVERYWHERE,))

        history = f"/api/management/v1/deployments/deployments/devices/{device.id}"
        for _ in each_crash(forget):
            gone = [row["deployment"]["id"] for row in log.api.get(history).json() if row["device"].get("deleted")]
            told = [entry["change"] for entry in log.get(object_id=device.id, actor_id="u")]
            assert len(told) == (1 if gone else 0)
            assert all(deployment in told[0] for deployment in gone)

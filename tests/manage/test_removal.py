"""``manage tenant remove``, ``verify-removed`` and ``export``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from chalicelib import settings
from chalicelib.storage.keys import TenantId
from chalicelib.tenantadm import service
from chalicelib.useradm import service as useradm
from chalicelib.useradm.tables import users
from tests.conftest import PASSWORD
from tests.deployments.world import World

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from infra.local.testing import LocalServer
    from tests.manage.conftest import Manage


@pytest.fixture(scope="module")
def server(own_server: LocalServer) -> LocalServer:
    return own_server


def test_removing_and_verifying(server: LocalServer, manage: Manage, document, done, api, http, tenant, monkeypatch):

    World(api, http, tenant.tenant_token).device()
    before = manage("tenant", "verify-removed", tenant.id)
    assert before.returncode == 4
    assert "  devauth: " in before.stdout

    assert done("tenant", "remove", tenant.id, "--yes") == tenant.id
    assert document("tenant", "show", tenant.id)["status"] == "removing"
    known = replace(settings.current(), removal_settle=0)
    monkeypatch.setattr(settings, "current", lambda: known)
    server.drain()

    verified = document("tenant", "verify-removed", tenant.id)
    assert (verified["left"], verified["by_place"]) == (0, {})
    assert verified["audit_entries_until_they_expire"] > 0
    assert done("tenant", "verify-removed", tenant.id).startswith("left: 0\n")
    assert manage("tenant", "show", tenant.id).returncode == 3


def test_removing_requires_confirmation(manage: Manage, document, tenant):
    asked = manage("tenant", "remove", tenant.id, typed="n\n")

    assert asked.returncode != 0
    assert "Acme" in asked.stderr
    assert document("tenant", "show", tenant.id)["status"] == "active"
    assert manage("tenant", "remove", "f" * 24, "--yes").returncode == 3


def test_a_provider_with_children_cannot_be_removed(manage: Manage, done):
    provider = done("tenant", "create", "Provider", "--service-provider")
    service.create_child(TenantId(provider), "Child", f"{provider}@example.com", PASSWORD, devices={})

    refused = manage("tenant", "remove", provider, "--yes")

    assert (refused.returncode, "1 child tenants" in refused.stderr) == (4, True)


def test_an_export_contains_everything_except_secrets(
    done, document, api: httpx2.Client, http: httpx2.Client, tenant, tmp_path: Path
):
    world = World(api, http, tenant.tenant_token)
    device = world.device()
    device.inventory()
    world.upload("exported")
    script = api.post("/api/management/v1/useradm/settings/tokens", json={"name": "script", "expires_in": 60}).text
    [user] = useradm.list_users(tenant.id)
    file = tmp_path / "export.jsonl"

    counts = document("tenant", "export", tenant.id, str(file))

    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == sum(counts.values())
    assert {line["table"] for line in lines if "table" in line} >= {
        "devauth",
        "inventory",
        "useradm",
        "fleet",
        "artifacts",
    }
    assert counts["bucket"] == sum("object" in line for line in lines) == 1
    for something in (user.email, device.id, "exported", device.identity["mac"]):
        assert str(something) in text
    stored = users.find(tenant.id, user.id)
    assert stored is not None
    for secret in (stored.password, "$argon2", PASSWORD, tenant.tenant_token, script, str(device.token)):
        assert secret not in text


def test_an_export_contains_data_of_one_tenant_only(document, api, http, tenant, sign_in, tmp_path: Path):
    other = service.create_tenant("Other")
    sign_in(other)
    file = tmp_path / "export.jsonl"

    document("tenant", "export", tenant.id, str(file))

    assert other.id not in file.read_text()

"""``manage tenant ...``: plans, add-ons, children, tokens, settings."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from chalicelib import clock
from chalicelib.fleet import control, counts
from chalicelib.storage.keys import TenantId
from chalicelib.tenantadm import service
from chalicelib.tenantadm.service import lookup
from tests.conftest import PASSWORD
from tests.simulator.device import Device

if TYPE_CHECKING:
    import httpx2

    from tests.manage.conftest import Manage


def test_plan_and_addons(document, done, tenant):
    assert done("tenant", "plan", tenant.id, "professional") == tenant.id
    changed = document("tenant", "addons", tenant.id, "configure", "monitor")

    assert (changed["plan"], changed["addons"]) == ("professional", ["configure", "monitor"])
    seen = control.get(tenant.id, fresh=True)
    assert seen.plan == "professional"
    assert [addon["name"] for addon in seen.addons if addon["enabled"]] == ["configure", "monitor"]
    assert document("tenant", "addons", tenant.id)["addons"] == []


def test_every_limit(document, tenant):
    limits = ("--max-devices", "1", "--max-micro-devices", "2", "--max-system-devices", "3", "--storage-limit", "4")

    changed = document("tenant", "set-limits", tenant.id, *limits)

    names = ("max_devices", "max_micro_devices", "max_system_devices", "storage_limit")
    assert [changed[name] for name in names] == [1, 2, 3, 4]


def test_children(document, done, manage: Manage):
    provider = done("tenant", "create", "Provider", "--service-provider")
    child = service.create_child(TenantId(provider), "Child", f"{provider}@example.com", PASSWORD, devices={})

    [listed] = document("tenant", "children", provider)
    assert (listed["id"], listed["parent"]) == (child.id, provider)
    assert done("tenant", "children", provider) == f"{child.id}  active  enterprise  Child"
    refused = manage("tenant", "service-provider", provider, "--off")
    assert (refused.returncode, "1 child tenants" in refused.stderr) == (4, True)
    assert manage("tenant", "service-provider", child.id).returncode == 4


def test_a_tenant_becomes_a_service_provider(document, tenant):
    assert document("tenant", "service-provider", tenant.id)["service_provider"] is True
    assert document("tenant", "service-provider", tenant.id, "--off")["service_provider"] is False


def test_a_new_token_replaces_the_old_one(done, tenant, http: httpx2.Client):
    token = done("tenant", "rotate-token", tenant.id)
    lookup._tokens.clear()  # other processes notice after the cache time

    assert token != tenant.tenant_token
    refused = Device(http, tenant.tenant_token).auth()
    assert (refused.status_code, refused.json()["error"]) == (401, "dev auth: unauthorized")
    assert count(tenant) == 0
    Device(http, token).auth()
    assert count(tenant) == 1


def test_an_old_token_can_stay_valid_for_a_while(done, tenant, http: httpx2.Client, monkeypatch):
    done("tenant", "rotate-token", tenant.id, "--grace", "60")
    lookup._tokens.clear()
    Device(http, tenant.tenant_token).auth()
    assert count(tenant) == 1

    later = clock.now() + timedelta(seconds=61)
    monkeypatch.setattr(clock, "now", lambda: later)
    lookup._tokens.clear()
    Device(http, tenant.tenant_token).auth()
    assert count(tenant) == 1


def count(tenant) -> int:
    return counts.number(tenant.id, None, None)


def test_settings(document, done, manage: Manage, tenant):
    assert "device_timeout=3600" in done("tenant", "set", tenant.id, "device_timeout=3600").splitlines()
    assert control.get(tenant.id, fresh=True).settings.device_timeout == 3600
    assert document("tenant", "show", tenant.id)["settings"]["device_timeout"] == 3600

    for words, code, text in (
        (("nothing=1",), 4, "setting nothing does not exist; there are"),
        (("device_timeout=-1",), 4, "device_timeout"),
        (("device_timeout",), 2, "NAME=VALUE"),
    ):
        refused = manage("tenant", "set", tenant.id, *words)
        assert refused.returncode == code
        assert text in refused.stderr

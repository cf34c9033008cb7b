"""Settings of a tenant, which Mender's API does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.fleet import control
from chalicelib.tenantadm import service

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant

SETTINGS = "/api/management/v2/tenantadm/settings"


def test_all_settings_are_shown_with_defaults(api: httpx2.Client):
    answer = api.get(SETTINGS)

    assert answer.status_code == 200
    assert answer.json()["device_timeout"] == 0
    assert answer.headers["ETag"]


def test_they_are_replaced(api: httpx2.Client, tenant: Tenant):
    first = api.get(SETTINGS).headers["ETag"]

    saved = api.put(SETTINGS, json={"device_timeout": 3600}, headers={"If-Match": f'"{first}"'})

    assert saved.status_code == 204
    shown = api.get(SETTINGS)
    assert shown.json()["device_timeout"] == 3600
    assert shown.headers["ETag"] == saved.headers["ETag"] != first
    assert control.get(tenant.id).settings.device_timeout == 3600
    assert api.put(SETTINGS, json={}).status_code == 204
    assert api.get(SETTINGS).headers["ETag"] == first


def test_an_old_version_is_not_replaced(api: httpx2.Client):
    first = api.get(SETTINGS).headers["ETag"]
    api.put(SETTINGS, json={"device_timeout": 1})

    assert api.put(SETTINGS, json={"device_timeout": 2}, headers={"If-Match": first}).status_code == 412
    assert api.get(SETTINGS).json()["device_timeout"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"device_timeout": -1},
        {"device_timeout": "1"},
        {"device_timeout": 10**12},
        {"unknown": 1},
        [],
    ],
)
def test_invalid_settings_are_refused(api: httpx2.Client, wrong: Any):
    before = api.get(SETTINGS).json()

    assert api.put(SETTINGS, json=wrong).status_code == 400
    assert api.get(SETTINGS).json() == before


def test_null_resets_a_setting(api: httpx2.Client):
    first = api.get(SETTINGS).json()
    assert api.put(SETTINGS, json={"device_timeout": 3600}).status_code == 204
    assert api.put(SETTINGS, json={"device_timeout": None}).status_code == 204
    assert api.get(SETTINGS).json() == first


def test_other_changes_of_the_tenant_keep_them(api: httpx2.Client, tenant: Tenant):
    api.put(SETTINGS, json={"device_timeout": 60})
    service.set_limits(tenant.id, max_devices=3)
    service.set_plan(tenant.id, plan="professional")

    assert control.get(tenant.id, fresh=True).settings.device_timeout == 60

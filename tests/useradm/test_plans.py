"""The features of plans, for UIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.tenantadm import service

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import SignIn

PLANS = "/api/management/v1/useradm/plans"
BINDING = "/api/management/v1/useradm/plan_binding"


def test_plans(api: httpx2.Client):
    plans = {plan["name"]: plan for plan in api.get(PLANS).json()}

    assert set(plans) == {"os", "professional", "enterprise"}
    assert all(plans["enterprise"]["features"].values())
    assert not plans["os"]["features"]["rbac"]


def test_the_plan_of_a_new_tenant_has_everything(api: httpx2.Client):
    binding = api.get(BINDING).json()

    assert binding["plan"]["name"] == "enterprise"
    assert all(binding["plan"]["features"].values())
    assert binding["limits"] == {"audit_logs_days": 365}


def test_add_ons_and_limits_of_the_tenant(server, sign_in: SignIn):
    addons = [{"name": "configure", "enabled": True}, {"name": "monitor", "enabled": False}]
    tenant = service.create_tenant("Small", plan="os", addons=addons, max_devices=5)

    binding = sign_in(tenant).get(BINDING).json()

    features = binding["plan"]["features"]
    assert [name for name, included in features.items() if included] == ["configuration"]
    assert binding["limits"] == {"devices": 5}

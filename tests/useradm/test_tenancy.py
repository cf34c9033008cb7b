"""Plan, limits, and checking whether an address has an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chalicelib.tenantadm import service
from tests.conftest import PASSWORD, SignIn
from tests.useradm.conftest import ME, USERS, new_email

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant

BASE = "/api/management/v1/useradm"


@pytest.mark.parametrize(
    ("plan", "addon", "status"),
    [
        ("os", None, 202),
        ("professional", "monitor", 202),
        ("enterprise", None, 403),
        ("os", "configure", 403),
        ("unheard-of", None, 403),
        (None, "unheard-of", 403),
        (None, None, 202),
    ],
)
def test_plans_and_addons_are_verified(sign_in: SignIn, plan: str | None, addon: str | None, status: int) -> None:
    addons = [{"name": "monitor", "enabled": True}, {"name": "configure", "enabled": False}]
    api = sign_in(service.create_tenant("Acme", plan="professional", addons=addons))
    asked = {"X-Mender-Required-Minimal-Plan": plan, "X-Mender-Required-Addon": addon}

    answer = api.post(f"{BASE}/auth/plan-verify", headers={name: text for name, text in asked.items() if text})

    assert answer.status_code == status


def test_users_are_counted(api: httpx2.Client) -> None:
    assert api.get(f"{BASE}/limits").json() == {"users": {"count": 1, "max": -1}}
    api.post(USERS, json={"email": new_email(), "password": PASSWORD})

    assert api.get(f"{BASE}/limits").json() == {"users": {"count": 2, "max": -1}}


def test_addresses_are_checked_on_the_whole_server(api: httpx2.Client, sign_in: SignIn, tenant: Tenant) -> None:
    other = sign_in(service.create_tenant("Other")).get(ME).json()["email"]

    for address, exists in ((other.upper(), False), (api.get(ME).json()["email"].upper(), True), (new_email(), False)):
        assert api.get(f"{USERS}/exists", params={"email": address}).json() == {"exists": exists}


@pytest.mark.parametrize("query", [{}, {"email": ""}, {"email": "nobody"}])
def test_an_invalid_address_has_no_account(api: httpx2.Client, query: dict[str, str]) -> None:
    assert api.get(f"{USERS}/exists", params=query).status_code == 400

"""Service providers and their child tenants (OpenAPI, tenantadm)."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from chalicelib import limits, settings
from chalicelib.errors import Unprocessable
from chalicelib.storage.keys import TenantId
from chalicelib.tenantadm import service
from chalicelib.tiers import PerTier
from tests.conftest import PASSWORD
from tests.deployments.world import World

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn

TENANTS = "/api/management/v2/tenantadm/tenants"
LOGIN = "/api/management/v1/useradm/auth/login"
ME = "/api/management/v2/tenantadm/tenants/me"
UNKNOWN = "f" * 24


@pytest.fixture
def provider(server) -> Tenant:
    """A service provider with a limit of 10 standard devices and none for other tiers."""
    return service.create_tenant("Provider", service_provider=True, max_devices=10)


@pytest.fixture
def provider_admin(sign_in: SignIn, provider: Tenant) -> httpx2.Client:
    """A client of the provider's administrator."""
    return sign_in(provider)


def email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def make(provider_admin: httpx2.Client, **more: Any) -> str:
    """Create a child tenant; returns its id."""
    body = {"name": "Child", "admin": {"email": email(), "password": PASSWORD}, **more}
    answer = provider_admin.post(TENANTS, json=body)
    assert answer.status_code == 202, answer.text
    return answer.headers["Location"].rsplit("/", 1)[-1]


def by_tier(**limits: int) -> dict[str, Any]:
    return {name: {"Name": name, "value": value} for name, value in limits.items()}


class TestCreation:
    """A child tenant is created with its first user."""

    def test_its_administrator_can_sign_in(self, provider_admin: httpx2.Client, http: httpx2.Client, provider: Tenant):
        address = email()
        made = make(provider_admin, name="New", admin={"email": address, "password": PASSWORD}, device_limit=3)

        token = http.post(LOGIN, auth=(address, PASSWORD)).text
        shown = http.get(ME, headers={"Authorization": f"Bearer {token}"}, params={"tiers": "true"}).json()
        assert (shown["id"], shown["name"], shown["parent_tenant_id"]) == (made, "New", provider.id)
        assert shown["device_limit"] == 3
        values = {name: limit["value"] for name, limit in shown["device_limits"].items()}
        assert values == {"max_devices": 3, "max_micro_devices": -1, "max_system_devices": -1}

    def test_limits_that_are_not_given_are_zero_if_the_provider_is_limited(self, provider_admin: httpx2.Client):
        assert service.get_tenant(TenantId(make(provider_admin))).devices == PerTier(0, -1, -1)

    def test_only_by_a_service_provider(self, api: httpx2.Client):
        body = {"name": "Child", "admin": {"email": email(), "password": PASSWORD}}

        assert api.post(TENANTS, json=body).status_code == 403
        assert api.get(TENANTS).json() == []

    @pytest.mark.parametrize(
        ("wrong", "status"),
        [
            ({"name": ""}, 400),
            ({"name": "x" * 257}, 400),
            ({"admin": {"password": PASSWORD}}, 400),
            ({"admin": {"email": "a@example.com"}}, 422),
            ({"device_limit": -2}, 400),
            ({"device_limit": -1}, 422),
            ({"device_limit": 11}, 422),
            ({"device_limit": "many"}, 400),
            ({"device_limits": by_tier(max_devices=11)}, 422),
            ({"users": [{"email": "b@example.com"}]}, 422),
            ({"sso": True}, 422),
            ({"binary_delta": True}, 422),
            ({"admin": {"email": "c@example.com", "send_reset_password": True}}, 422),
        ],
    )
    def test_invalid_children_are_refused(self, provider_admin: httpx2.Client, wrong: dict[str, Any], status: int):
        body = {"name": "Child", "admin": {"email": email(), "password": PASSWORD}, **wrong}

        assert provider_admin.post(TENANTS, json=body).status_code == status
        assert provider_admin.get(TENANTS).json() == []

    def test_a_used_address_is_refused(self, provider_admin: httpx2.Client):
        address = email()
        make(provider_admin, admin={"email": address, "password": PASSWORD})

        again = provider_admin.post(TENANTS, json={"name": "Other", "admin": {"email": address, "password": PASSWORD}})

        assert again.status_code == 409
        assert len(provider_admin.get(TENANTS).json()) == 1

    def test_limits_above_those_of_the_provider_are_refused(
        self, provider_admin: httpx2.Client, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(limits, "TENANT_CHILDREN", 1)
        make(provider_admin)

        body = {"name": "Child", "admin": {"email": email(), "password": PASSWORD}}
        assert provider_admin.post(TENANTS, json=body).status_code == 422


class TestList:
    """Page by page, oldest first."""

    def test_pages(self, provider_admin: httpx2.Client):
        made = [make(provider_admin, name=f"Child {number}") for number in range(12)]

        first, second = provider_admin.get(TENANTS), provider_admin.get(TENANTS, params={"page": 2, "per_page": 10})

        assert [each["id"] for each in first.json()] == made[:10]
        assert [each["id"] for each in second.json()] == made[10:]
        assert first.headers["X-Total-Count"] == second.headers["X-Total-Count"] == "12"
        assert any('rel="next"' in line for line in first.headers.get_list("link"))
        assert "tenant_token" not in first.json()[0]
        assert provider_admin.get(TENANTS, params={"per_page": 0}).status_code == 400
        assert "device_limits" in provider_admin.get(TENANTS, params={"tiers": "true"}).json()[0]


class TestLimits:
    """Limits of children are subtracted from those of their provider."""

    def test_they_are_subtracted_from_the_provider_and_returned(self, provider_admin: httpx2.Client, provider: Tenant):
        first = make(provider_admin, device_limit=6)
        assert (
            provider_admin.post(
                TENANTS, json={"name": "Too much", "admin": {"email": email(), "password": PASSWORD}, "device_limit": 5}
            ).status_code
            == 422
        )
        second = make(provider_admin, device_limit=4)

        assert provider_admin.put(f"{TENANTS}/{first}/child", json={"device_limit": 7}).status_code == 422
        assert (
            provider_admin.put(f"{TENANTS}/{first}/child", json={"name": "Less", "device_limit": 1}).status_code == 204
        )
        assert (
            provider_admin.put(f"{TENANTS}/{second}/child", json={"device_limits": by_tier(max_devices=9)}).status_code
            == 204
        )

        assert service.get_tenant(provider.id).given == PerTier(10)
        shown = {each["id"]: (each["name"], each["device_limit"]) for each in provider_admin.get(TENANTS).json()}
        assert shown == {first: ("Less", 1), second: ("Child", 9)}

    def test_the_provider_can_accept_the_remaining_devices(
        self, provider_admin: httpx2.Client, http: httpx2.Client, provider: Tenant
    ):
        make(provider_admin, device_limit=9)
        world = World(provider_admin, http, provider.tenant_token)
        world.device()

        with pytest.raises(AssertionError, match="maximum number of accepted devices"):
            world.device()

    def test_accepted_devices_of_the_provider_cannot_be_given_away(
        self, provider_admin: httpx2.Client, http: httpx2.Client, provider: Tenant
    ):
        World(provider_admin, http, provider.tenant_token).device()

        body = {"name": "Child", "admin": {"email": email(), "password": PASSWORD}, "device_limit": 10}
        refused = provider_admin.post(TENANTS, json=body)

        assert (refused.status_code, "at most 9" in refused.text) == (422, True)

    def test_the_admin_cannot_lower_the_limit_below_the_childrens_shares(
        self, provider_admin: httpx2.Client, provider: Tenant
    ):
        make(provider_admin, device_limit=6)

        with pytest.raises(Unprocessable, match="its children have 6"):
            service.set_limits(provider.id, max_devices=5)
        service.set_limits(provider.id, max_devices=6)

    def test_returned_limits_are_accepted_in_any_case(
        self,
        server,
        provider_admin: httpx2.Client,
        http: httpx2.Client,
        provider: Tenant,
        monkeypatch: pytest.MonkeyPatch,
    ):
        child = make(provider_admin, device_limit=4)
        world = World(provider_admin, http, provider.tenant_token)
        for _ in range(5):
            world.device()
        service.set_limits(provider.id, max_devices=4)  # 5 and 4 are more than the limit and are kept

        assert provider_admin.put(f"{TENANTS}/{child}/child", json={"device_limit": 5}).status_code == 422
        assert provider_admin.put(f"{TENANTS}/{child}/child", json={"device_limit": 3}).status_code == 204
        known = replace(settings.current(), removal_settle=0)
        monkeypatch.setattr(settings, "current", lambda: known)
        assert provider_admin.post(f"{TENANTS}/{child}/remove/start").status_code == 202
        [shown] = provider_admin.get(TENANTS).json()
        assert (shown["status"], shown["removing"]) == ("suspended", True)
        server.drain()
        assert service.get_tenant(provider.id).given == PerTier()
        assert provider_admin.get(TENANTS).json() == []

    def test_concurrent_changes_do_not_exceed_the_total(self, provider_admin: httpx2.Client, provider: Tenant):
        def one(_: int) -> int:
            body = {"name": "Child", "admin": {"email": email(), "password": PASSWORD}, "device_limit": 2}
            return provider_admin.post(TENANTS, json=body).status_code

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(one, range(8)))

        assert answers.count(202) + answers.count(422) + answers.count(503) == 8
        assert service.get_tenant(provider.id).given == PerTier(2 * answers.count(202))
        assert answers.count(202) <= 5


class TestStatus:
    """A provider suspends and activates its children."""

    def test_suspended_and_back(self, provider_admin: httpx2.Client, http: httpx2.Client):
        address = email()
        child = make(provider_admin, admin={"email": address, "password": PASSWORD})
        token = http.post(LOGIN, auth=(address, PASSWORD)).text
        headers = {"Authorization": f"Bearer {token}"}

        assert provider_admin.put(f"{TENANTS}/{child}/status", json={"status": "suspended"}).status_code == 202
        assert http.get(ME, headers=headers).status_code == 401
        assert provider_admin.get(TENANTS).json()[0]["status"] == "suspended"

        assert provider_admin.put(f"{TENANTS}/{child}/status", json={"status": "active"}).status_code == 202
        assert http.get(ME, headers=headers).status_code == 200
        assert provider_admin.put(f"{TENANTS}/{child}/status", json={"status": "gone"}).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "child", {"name": "Stolen", "device_limit": 0}),
        ("PUT", "status", {"status": "suspended"}),
    ],
)
def test_other_tenants_get_404(
    provider_admin: httpx2.Client, provider: Tenant, sign_in: SignIn, method: str, path: str, body: dict[str, Any]
):
    rival = service.create_tenant("Rival", service_provider=True)
    theirs = make(sign_in(rival))
    before = [service.get_tenant(each) for each in (rival.id, TenantId(theirs), provider.id)]

    def ask(tenant: str) -> tuple[int, str]:
        answer = provider_admin.request(method, f"{TENANTS}/{tenant}/{path}", json=body)
        return answer.status_code, answer.json()["error"]

    assert ask(theirs) == ask(rival.id) == ask(provider.id) == ask(UNKNOWN) == (404, "tenant not found")
    assert [service.get_tenant(each.id) for each in before] == before

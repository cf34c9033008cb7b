"""Removing a tenant: refused at once, erased by a worker that may crash anywhere, with nothing left.

For the removal of a tenant.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from msgspec.structs import replace

from chalicelib import clock, settings
from chalicelib.aws import queues
from chalicelib.errors import Conflict, Unavailable
from chalicelib.events import erasure
from chalicelib.rights import EVERYTHING
from chalicelib.storage import dynamodb
from chalicelib.storage.keys import TenantId
from chalicelib.tenantadm import service
from chalicelib.tenantadm.service import Status
from chalicelib.useradm import service as useradm
from infra.manage import contents
from infra.manage.contents import left
from infra.paths import ROOT
from tests.all_routes.table import routes
from tests.all_routes.tenants import BODIES
from tests.all_routes.tenants import Tenant as Everything
from tests.conftest import PASSWORD
from tests.deployments.world import World
from tests.deviceconnect.peers import FakeDevice, opened, user_path
from tests.tenantadm.test_children import TENANTS, UNKNOWN, email, make

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer
    from tests.conftest import SignIn

ME = "/api/management/v2/tenantadm/tenants/me"


@pytest.fixture(scope="module")
def server(own_server: LocalServer) -> LocalServer:
    return own_server


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A separate server, so that no call is running when a removal begins."""
    known = replace(settings.current(), removal_settle=0)
    monkeypatch.setattr(settings, "current", lambda: known)


def later(monkeypatch: pytest.MonkeyPatch, **passed: float) -> None:
    """Move the clock."""
    then = clock.now() + timedelta(**passed)
    monkeypatch.setattr(clock, "now", lambda: then)


@pytest.fixture
def full(server: LocalServer, api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> Iterator[Everything]:
    """A tenant with data of every kind: that of the tests of all routes, and a call of every route.

    A device is connected, with a running session and an ended one.
    """
    everything = Everything(World(api, http, tenant.tenant_token))
    device, token = everything.device, api.headers["Authorization"].removeprefix("Bearer ")
    with FakeDevice(server.url, str(device.token)):
        with opened(server.url, user_path(str(device.id)), token):
            pass
        with opened(server.url, user_path(str(device.id)), token):
            _call_everything(server, everything)
            yield everything


def _call_everything(server: LocalServer, everything: Everything) -> None:
    api, http = everything.world.api, everything.world.http
    for route in routes(server.app):
        if route.spec.method == "DELETE" or "logout" in route.spec.path or "/tenants/" in route.spec.path:
            continue
        for values in everything.values(route.spec.path):
            token = everything.device.token if route.spec.auth == "device" else None
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            client = http if token else api
            client.request(route.spec.method, route.uri(values), json=BODIES.get(route.name), headers=headers)
    api.put("/api/management/v2/tenantadm/settings", json={"device_timeout": 60})
    api.post("/api/management/v1/useradm/settings/tokens", json={"name": "script", "expires_in": 60})
    api.post("/api/management/v1/deployments/artifacts/directupload")
    role = {"name": "Some", "permission_sets_with_scope": [{"name": "ReadDevices"}]}
    api.post("/api/management/v2/useradm/roles", json=role)
    http.cookies.clear()


def storing() -> set[str]:
    """The features with a table, which the test below must write to and a removal erase."""
    here = [each.parent for each in (ROOT / "chalicelib").glob("*/tables*")]
    return {each.name for each in here} - {"tenantadm"}


def test_every_feature_with_a_table_has_a_step_of_the_erasure():
    asked = {name for step in erasure.steps() for name in (step.__module__.split(".")[1], *step.__code__.co_names)}

    assert storing() - asked == set()


class TestErasure:
    """Nothing is left."""

    def test_every_table_had_items(self, full: Everything):
        """Otherwise the next test would prove nothing for a new feature: let the tests of all routes create an item."""
        assert storing() - set(left(full.tenant)) - contents.KEPT == set()
        assert left(full.tenant)["bucket"]

    def test_nothing_is_left(self, server: LocalServer, full: Everything, tenant: Tenant, settled: None):
        service.rotate_token(tenant.id, grace=1000)
        other = left(service.create_tenant("Other").id)

        service.start_removal(tenant.id)
        server.drain()

        assert left(tenant.id) == Counter()
        assert other == Counter(fleet=1, tenantadm=2)
        assert service.tenant_by_token(tenant.tenant_token) is None
        kept = [each for each in contents.items(tenant.id) if contents.own(tenant.id, each)]
        assert {each.table for each in kept} <= contents.KEPT
        assert all("expires_at" in each.item for each in kept)

    def test_other_tenants_keep_everything(
        self, server: LocalServer, full: Everything, tenant: Tenant, sign_in: SignIn, http: httpx2.Client, settled: None
    ):
        other = service.create_tenant("Other")
        theirs = Everything(World(sign_in(other), http, other.tenant_token))
        http.cookies.clear()
        before, count = theirs.snapshot(), left(other.id)

        service.start_removal(tenant.id)
        server.drain()

        assert theirs.snapshot() == before
        assert left(other.id) == count

    def test_items_written_after_the_first_pass_are_erased_by_the_last(
        self, server: LocalServer, full: Everything, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ):
        service.start_removal(tenant.id)
        server.drain()
        assert set(left(tenant.id)) == {"tenantadm"}
        useradm.create_user(tenant.id, email(), PASSWORD, by=EVERYTHING)  # by a call that had been authenticated before

        later(monkeypatch, seconds=settings.current().removal_settle + 1)
        server.workers.run_once()

        assert left(tenant.id) == Counter()

    def test_the_cost_depends_on_the_tenants_data(self, server: LocalServer, tenant: Tenant, settled: None):
        for _ in range(3):
            service.create_tenant("Somebody else")
        calls: list[str] = []
        dynamodb.observers.append(lambda operation, request, answer: calls.append(operation))
        try:
            service.start_removal(tenant.id)
            server.drain()
        finally:
            dynamodb.observers.pop()

        assert left(tenant.id) == Counter()
        assert "Scan" not in calls
        assert len(calls) < 80


class Crash(Exception):
    """The worker crashes."""


@contextmanager
def crashing_at(number: int) -> Iterator[list[int]]:
    """Crash after the ``number``-th write to DynamoDB."""
    done = [0]

    def observe(operation: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        if operation in {"GetItem", "Query", "BatchGetItem"}:
            return
        done[0] += 1
        if done[0] == number:
            raise Crash

    dynamodb.observers.append(observe)
    try:
        yield done
    finally:
        dynamodb.observers.remove(observe)


def test_after_a_worker_crashed_anywhere_the_next_finishes(
    server: LocalServer, full: Everything, tenant: Tenant, settled: None
):
    service.start_removal(tenant.id)
    crashes, finished = 0, False
    for _ in range(500):
        # Each run gets one write further than the previous one.
        try:
            with crashing_at(1 + crashes % 7):
                finished = service.erase(tenant.id, erasure.steps())
        except Crash:
            crashes += 1
        if finished:
            break

    assert finished
    assert crashes >= 7  # the longest run was interrupted at least once
    assert left(tenant.id) == Counter()
    assert service.erase(tenant.id, erasure.steps())
    server.drain()


class TestLockedOut:
    """The tenant is refused from the next call on."""

    def test_users_and_devices(self, tenant: Tenant, api: httpx2.Client, http: httpx2.Client):
        device = World(api, http, tenant.tenant_token).device()
        assert device.poll().status_code == 204

        service.start_removal(tenant.id)

        assert api.get(ME).status_code == 401
        assert device.poll().status_code == 401
        assert device.auth().status_code == 401
        with pytest.raises(Conflict, match="being removed"):
            service.set_status(tenant.id, Status.ACTIVE)

    def test_a_message_that_is_lost_is_sent_again(
        self, server: LocalServer, tenant: Tenant, settled: None, monkeypatch: pytest.MonkeyPatch
    ):
        def silent(*_: object) -> None:
            raise Unavailable

        with monkeypatch.context() as broken:
            broken.setattr(queues, "send", silent)
            with pytest.raises(Unavailable):
                service.start_removal(tenant.id)
        assert left(tenant.id)

        server.workers.run_once()

        assert left(tenant.id) == Counter()


class TestCancelled:
    """A tenant that its users cancel is erased later."""

    def test_cancelled_by_its_own_user(
        self, server: LocalServer, api: httpx2.Client, tenant: Tenant, settled: None, monkeypatch: pytest.MonkeyPatch
    ):
        assert (
            api.post(f"{TENANTS}/{tenant.id}/cancel", json={"reason": "", "current_password": PASSWORD}).status_code
            == 400
        )
        assert (
            api.post(
                f"{TENANTS}/{tenant.id}/cancel", json={"reason": "moved", "current_password": PASSWORD}
            ).status_code
            == 202
        )
        assert api.get(ME).status_code == 401
        assert service.get_tenant(tenant.id).notes["cancel_reason"] == "moved"
        server.workers.run_once()
        assert left(tenant.id)

        later(monkeypatch, seconds=settings.current().removal_grace + 1)
        server.workers.run_once()

        assert left(tenant.id) == Counter()

    def test_withdrawing_a_cancellation(
        self, server: LocalServer, api: httpx2.Client, tenant: Tenant, settled: None, monkeypatch: pytest.MonkeyPatch
    ):
        api.post(f"{TENANTS}/{tenant.id}/cancel", json={"reason": "a slip", "current_password": PASSWORD})

        service.set_status(tenant.id, Status.ACTIVE)
        later(monkeypatch, seconds=settings.current().removal_grace + 1)
        server.workers.run_once()

        assert api.get(ME).status_code == 200

    def test_a_cancellation_is_possible_once(self, sign_in: SignIn):
        provider = service.create_tenant("Provider", service_provider=True)
        provider_admin = sign_in(provider)
        child = make(provider_admin)

        assert (
            provider_admin.post(
                f"{TENANTS}/{provider.id}/cancel", json={"reason": "x", "current_password": PASSWORD}
            ).status_code
            == 409
        )
        assert provider_admin.post(f"{TENANTS}/{child}/cancel", json={"reason": "x"}).status_code == 202
        assert provider_admin.post(f"{TENANTS}/{child}/cancel", json={"reason": "x"}).status_code == 409
        assert provider_admin.post(f"{TENANTS}/{child}/plan", json={"requested_plan": "os"}).status_code == 409


class TestChildren:
    """A service provider can remove only its children."""

    @pytest.fixture
    def provider_admin(self, sign_in: SignIn) -> httpx2.Client:
        provider = service.create_tenant("Provider", service_provider=True, max_devices=10)
        return sign_in(provider)

    def test_its_limits_return_to_the_provider(self, server: LocalServer, provider_admin: httpx2.Client, settled: None):
        child = make(provider_admin, device_limit=10)
        assert provider_admin.delete(f"{TENANTS}/{child}").status_code == 405
        provider_admin.put(f"{TENANTS}/{child}/status", json={"status": "suspended"})

        assert provider_admin.delete(f"{TENANTS}/{child}").status_code == 204
        server.drain()

        assert provider_admin.get(TENANTS).json() == []
        assert provider_admin.get(TENANTS).headers["X-Total-Count"] == "0"
        assert left(child) == Counter()
        make(provider_admin, device_limit=10)

    def test_users_of_the_provider_who_work_there(
        self, server: LocalServer, provider_admin: httpx2.Client, settled: None
    ):
        gone, stays = make(provider_admin), make(provider_admin)
        users = "/api/management/v1/useradm/users"
        me = provider_admin.get(f"{users}/me").json()["id"]
        assert provider_admin.post(f"{users}/{me}/assign", json={"tenant_ids": [gone, stays]}).status_code == 200
        assert gone in provider_admin.get(f"{users}/me").json()["tenant_ids"]

        provider_admin.post(f"{TENANTS}/{gone}/remove/start")
        server.drain()

        assert left(gone) == Counter()
        assert provider_admin.get(f"{users}/me").json()["tenant_ids"][1:] == [stays]

    def test_an_active_child_cannot_be_removed(self, server: LocalServer, provider_admin: httpx2.Client, settled: None):
        child = make(provider_admin)

        assert provider_admin.post(f"{TENANTS}/{child}/remove/start").status_code == 202
        assert provider_admin.put(f"{TENANTS}/{child}/status", json={"status": "active"}).status_code == 409
        server.drain()

        assert left(child) == Counter()

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("DELETE", "", None),
            ("POST", "/remove/start", None),
            ("POST", "/cancel", {"reason": "x"}),
            ("POST", "/plan", {"requested_plan": "os"}),
        ],
    )
    def test_other_tenants_get_404(
        self, provider_admin: httpx2.Client, tenant: Tenant, method: str, path: str, body: dict[str, Any] | None
    ):
        def ask(id: str) -> tuple[int, str]:
            answer = provider_admin.request(method, f"{TENANTS}/{id}{path}", json=body)
            return answer.status_code, answer.json()["error"]

        assert ask(tenant.id) == ask(UNKNOWN) == (404, "tenant not found")
        assert service.get_tenant(tenant.id).status is Status.ACTIVE


class TestPlan:
    """A request for another plan is only stored."""

    def test_it_is_stored_and_answered(self, api: httpx2.Client, tenant: Tenant):
        wish = {"requested_plan": "professional", "requested_addons": "monitor", "user_message": "please"}

        assert api.post(f"{TENANTS}/{tenant.id}/plan", json=wish).status_code == 202

        noted = service.get_tenant(tenant.id)
        assert noted.plan == "enterprise"
        assert noted.notes["plan_request"]["plan"] == "professional"
        service.set_plan(tenant.id, plan="professional")
        assert service.get_tenant(tenant.id).notes == {}

    @pytest.mark.parametrize("wrong", [{}, {"requested_plan": "gold"}, {"user_message": "x" * 5000}])
    def test_invalid_requests_are_refused(self, api: httpx2.Client, tenant: Tenant, wrong: dict[str, str]):
        assert api.post(f"{TENANTS}/{tenant.id}/plan", json=wrong).status_code == 400


def test_removing_a_tenant_that_does_not_exist(server):
    assert service.erase(TenantId(UNKNOWN), erasure.steps())

"""Metrics of a tenant: values, permissions, and cost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from chalicelib.fleet import control
from chalicelib.tenantadm import service
from tests.deployments.world import DEVAUTH, World, serves
from tests.integrations.test_delivery import DOWN, UP, later
from tests.metrics.exposition import parse
from tests.roles.test_roles import ROLES, role, scoped
from tests.simulator.device import Device
from tests.support.probe import counted

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn
    from tests.integrations.conftest import Hooks

METRICS = "/api/management/v2/tenantadm/metrics"
TEXT = {"Accept": "text/plain"}
EMPTY: dict[str, Any] = {
    "devices": {"accepted": 0, "noauth": 0, "pending": 0, "preauthorized": 0, "rejected": 0},
    "accepted_devices": {tier: {"count": 0, "limit": -1} for tier in ("standard", "micro", "system")},
    "users": 1,
    "deployments": {"unfinished": 0, "finished": 0},
    "artifacts": 0,
    "releases": 0,
    "storage": {"usage": 0, "limit": 0},
    "webhooks": {"count": 0, "failing": 0},
}


def numbers(api: httpx2.Client) -> dict[str, Any]:
    answer = api.get(METRICS)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    shown: dict[str, Any] = answer.json()
    return shown


def samples(api: httpx2.Client) -> dict[str, int]:
    answer = api.get(METRICS, headers=TEXT)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(answer.text)


@pytest.fixture
def other(http: httpx2.Client, sign_in: SignIn) -> World:
    tenant = service.create_tenant("Other")
    return World(sign_in(tenant), http, tenant.tenant_token)


def test_a_new_tenant(api: httpx2.Client):
    assert numbers(api) == EMPTY


def test_devices_by_status_and_tier(world: World, tenant: Tenant, other: World):
    service.set_limits(tenant.id, max_devices=10, max_micro_devices=0)
    control.forget(tenant.id)
    world.device()
    world.device(tier="system")
    waiting = Device(world.http, world.token)
    assert waiting.auth().status_code == 401
    first = numbers(world.api)
    found = world.api.get(DEVAUTH, params={"status": "pending"}).json()[0]
    status = f"{DEVAUTH}/{found['id']}/auth/{found['auth_sets'][0]['id']}/status"
    assert world.api.put(status, json={"status": "rejected"}).status_code == 204

    assert first["devices"] == EMPTY["devices"] | {"accepted": 2, "pending": 1}
    assert numbers(world.api)["devices"] == EMPTY["devices"] | {"accepted": 2, "rejected": 1}
    assert first["accepted_devices"] == {
        "standard": {"count": 1, "limit": 10},
        "micro": {"count": 0, "limit": 0},
        "system": {"count": 1, "limit": -1},
    }
    for status, count in numbers(world.api)["devices"].items():
        assert world.api.get(f"{DEVAUTH}/count", params={"status": status}).json() == {"count": count}
    assert numbers(other.api) == EMPTY


def test_artifacts_and_storage(world: World, other: World):
    world.upload("one")
    world.upload("one", ("other",))
    last = world.upload("two")
    shown = numbers(world.api)
    known = world.api.get("/api/management/v1/deployments/limits/storage").json()
    assert world.api.delete(f"/api/management/v1/deployments/artifacts/{last}").status_code == 204

    assert (shown["artifacts"], shown["releases"]) == (3, 2)
    assert shown["storage"] == known
    assert known["usage"] > 0
    after = numbers(world.api)
    assert (after["artifacts"], after["releases"]) == (2, 1)
    assert 0 < after["storage"]["usage"] < shown["storage"]["usage"]
    assert numbers(other.api) == EMPTY


def test_deployments(world: World, other: World):
    world.upload("new")
    device = world.device()
    deployment = world.deploy("new", [device.id])
    aborted = world.deploy("new", ["another"])
    first = numbers(world.api)["deployments"]
    serves(device.poll(), deployment)
    assert device.report(deployment, "success").status_code == 204
    second = numbers(world.api)["deployments"]
    world.abort(aborted)

    assert first == {"unfinished": 2, "finished": 0}
    assert second == {"unfinished": 1, "finished": 1}
    assert numbers(world.api)["deployments"] == {"unfinished": 0, "finished": 2}
    assert numbers(other.api) == EMPTY


def test_users(api: httpx2.Client, tenant: Tenant, sign_in: SignIn, other: World):
    sign_in(tenant)

    assert numbers(api)["users"] == 2
    assert numbers(other.api) == EMPTY


def test_webhooks_whose_receiver_is_down(world: World, hooks: Hooks, other: World):
    down, up = hooks(), hooks()
    down.listener.answering = DOWN
    assert numbers(world.api)["webhooks"] == {"count": 2, "failing": 0}
    world.device()
    assert down.posted()
    assert up.posted()

    assert numbers(world.api)["webhooks"] == {"count": 2, "failing": 1}
    down.listener.answering = UP
    with later(down, minutes=1):
        assert numbers(world.api)["webhooks"] == {"count": 2, "failing": 0}
    assert numbers(other.api) == EMPTY


class TestPrometheus:
    """The same in text."""

    def test_all_metrics(self, world: World, tenant: Tenant):
        service.set_limits(tenant.id, max_devices=10, storage_limit=1_000_000_000)
        control.forget(tenant.id)
        world.upload("new")
        device = world.device()
        world.deploy("new", [device.id])

        assert samples(world.api) == {
            "lamplighter_devices{status=accepted}": 1,
            "lamplighter_devices{status=noauth}": 0,
            "lamplighter_devices{status=pending}": 0,
            "lamplighter_devices{status=preauthorized}": 0,
            "lamplighter_devices{status=rejected}": 0,
            "lamplighter_accepted_devices{tier=standard}": 1,
            "lamplighter_accepted_devices{tier=micro}": 0,
            "lamplighter_accepted_devices{tier=system}": 0,
            "lamplighter_accepted_devices_limit{tier=standard}": 10,
            "lamplighter_users": 1,
            "lamplighter_deployments{status=unfinished}": 1,
            "lamplighter_deployments{status=finished}": 0,
            "lamplighter_artifacts": 1,
            "lamplighter_releases": 1,
            "lamplighter_storage_bytes": numbers(world.api)["storage"]["usage"],
            "lamplighter_storage_limit_bytes": 1_000_000_000,
            "lamplighter_webhooks": 0,
            "lamplighter_webhooks_failing": 0,
        }

    def test_missing_limits_have_no_sample(self, api: httpx2.Client):
        assert not [name for name in samples(api) if "limit" in name]

    @pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/plain, */*", "nonsense"])
    def test_json_unless_text_is_preferred(self, api: httpx2.Client, accept: str):
        answer = api.get(METRICS, headers={"Accept": accept})

        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == EMPTY


class TestRights:
    """Users see only numbers of objects that they may see."""

    def of(self, api: httpx2.Client, sign_in: SignIn, tenant: Tenant, *sets: dict[str, Any], **more: Any) -> Any:
        assert api.post(ROLES, json=role("R", *sets, **more)).status_code == 201
        return sign_in(tenant, "R").get(METRICS)

    @pytest.mark.parametrize("name", ["ReadReleases", "DeployToDevices", "ManageUsers", "ManageTenants"])
    def test_permission_to_see_devices_is_required(
        self, api: httpx2.Client, sign_in: SignIn, tenant: Tenant, name: str
    ):
        answer = self.of(api, sign_in, tenant, scoped(name))

        assert answer.status_code == 403
        assert answer.json()["error"].startswith("forbidden: your roles")

    def test_users_with_a_scope_are_refused(self, api: httpx2.Client, sign_in: SignIn, tenant: Tenant):
        assert self.of(api, sign_in, tenant, scoped("ReadDevices", "test")).status_code == 403

    @pytest.mark.parametrize(
        ("sets", "unseen"),
        [
            ([scoped("ReadDevices"), scoped("ReadReleases")], {"webhooks"}),
            ([scoped("ReadDevices")], {"webhooks", "artifacts", "releases", "storage"}),
            ([scoped("ConfigureDevices")], {"webhooks", "artifacts", "releases", "storage", "deployments"}),
            (
                [scoped("ConfigureDevices"), scoped("DeployToDevices", "test")],
                {"webhooks", "artifacts", "releases", "storage", "deployments"},
            ),
            (
                [scoped("ReadDevices"), scoped("ReadReleases", "tag", kind="ReleaseTags")],
                {"webhooks", "artifacts", "releases", "storage", "deployments"},
            ),
        ],
    )
    def test_other_parts_are_left_out_without_permission(
        self,
        api: httpx2.Client,
        sign_in: SignIn,
        tenant: Tenant,
        sets: list[dict[str, Any]],
        unseen: set[str],
    ):
        answer = self.of(api, sign_in, tenant, *sets)

        assert answer.status_code == 200, answer.text
        assert set(EMPTY) - set(answer.json()) == unseen

    def test_a_role_for_this_call_only(self, api: httpx2.Client, http: httpx2.Client, sign_in: SignIn, tenant: Tenant):
        call = {"action": "http", "object": {"type": "GET", "value": METRICS}}
        wanted = role("Scraper", scoped("ManageTokens"), permissions=[call])
        assert api.post(ROLES, json=wanted).status_code == 201
        user = sign_in(tenant, "Scraper")
        token = user.post("/api/management/v1/useradm/settings/tokens", json={"name": "Prometheus", "expires_in": 60})
        assert token.status_code == 200, token.text
        headers = {"Authorization": f"Bearer {token.text}"}

        answer = http.get(METRICS, headers=TEXT | headers)

        assert answer.status_code == 200, answer.text
        assert parse(answer.text) == samples(api)
        assert http.get(DEVAUTH, headers=headers).status_code == 403


@pytest.mark.usefixtures("warm")
def test_a_fixed_number_of_small_reads(world: World, tenant: Tenant, hooks: Hooks):
    for _ in range(2):
        hooks()
    numbers(world.api)  # from here on, the control item is cached
    costs = []
    for _ in range(2):
        with counted() as cost:
            numbers(world.api)
        costs.append(cost)
        world.upload(f"release-{len(costs)}")
        for _ in range(3):
            world.deploy(f"release-{len(costs)}", [world.device().id])

    # The session; devices and users; webhooks; deployments and artifacts.
    calls = Counter({"BatchGetItem": 2, "Query": 2, "GetItem": 2})
    assert [cost.by_operation for cost in costs] == [calls, calls]
    assert [cost.read_units for cost in costs] == [6.0, 6.0]
    assert not any(cost.write_units for cost in costs)

"""Indexes that lag behind their table affect nothing but lists."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx2
import pytest

from chalicelib import limits
from chalicelib.http.identity import Auth
from chalicelib.tenantadm import service as tenantadm
from infra.local.testing import LocalServer
from tests.all_routes.table import routes
from tests.all_routes.tenants import Tenant
from tests.conftest import PASSWORD
from tests.deployments.world import DEPLOYMENTS, DEVAUTH, World, serves, serves_nothing
from tests.simulator.artifacts import build_artifact
from tests.simulator.device import Device
from tests.support.lag import stale_indexes

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant as TenantRecord

M1 = "/api/management/v1"
ARTIFACTS = f"{M1}/deployments/artifacts"
LOGIN = f"{M1}/useradm/auth/login"
TOKENS = f"{M1}/useradm/settings/tokens"
USERS = f"{M1}/useradm/users"


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: TenantRecord) -> World:
    return World(api, http, tenant.tenant_token)


@pytest.fixture
def behind() -> Iterator[None]:
    """No index is ever updated."""
    with stale_indexes(empty=True):
        yield


def expected(world: World) -> Device:
    """A device that is accepted without the lists in which operators would find it."""
    device = Device(world.http, world.token)
    body = {"identity_data": device.identity, "pubkey": device.pubkey}
    assert world.api.post(DEVAUTH, json=body).status_code == 201
    assert device.auth().status_code == 200
    return device


@pytest.mark.usefixtures("behind")
class TestNothingIsIndexed:
    """Everything important reads by key."""

    def test_an_update(self, server: LocalServer, world: World):
        group = f"{M1}/inventory/devices/{{}}/group"
        one, two = expected(world), expected(world)
        assert world.api.get(DEVAUTH).json() == []  # a list is outdated
        assert one.inventory({"a": "b"}).status_code == 200
        assert world.api.put(group.format(one.id), json={"group": "g"}).status_code == 204
        world.upload("v1")
        files = {"artifact": ("a.mender", build_artifact("v1", ("qemux86-64",)))}
        assert world.api.post(ARTIFACTS, files=files).status_code == 409

        rollout = world.deploy("v1", group="g")
        serves(one.poll(), rollout)
        serves_nothing(two.poll())
        assert one.report(rollout, "success").status_code == 204
        assert world.show(rollout)["status"] == "finished"

        everybody = world.deploy("v1", force_installation=True)
        for device in (one, two):
            serves(device.poll(), everybody)
        assert two.report(everybody, "failure").status_code == 204
        world.abort(everybody)
        assert one.report(everybody, "success").status_code == 409
        assert world.numbers(everybody) == {"failure": 1, "aborted": 1}

    def test_a_release_in_use_cannot_be_deleted(self, world: World):
        artifact = world.upload("v1")
        device = expected(world)
        rollout = world.deploy("v1", [device.id])
        assert world.api.delete(f"{ARTIFACTS}/{artifact}").status_code == 409
        assert world.api.post(DEPLOYMENTS, json={"name": "x", "artifact_name": "v1", "devices": ["y"]}).is_success
        same = {"name": "rollout", "artifact_name": "v1", "devices": [device.id]}
        assert world.api.post(DEPLOYMENTS, json=same).status_code == 409
        world.abort(rollout)

    def test_limits(self, world: World, tenant: TenantRecord):
        tenantadm.set_limits(tenant.id, max_devices=1)
        expected(world)
        late = Device(world.http, world.token)
        body = {"identity_data": late.identity, "pubkey": late.pubkey}
        assert world.api.post(DEVAUTH, json=body).status_code == 201
        assert late.auth().status_code == 401

    def test_decommissioning_a_device(self, server: LocalServer, world: World):
        device = expected(world)
        world.upload("v1")
        rollout = world.deploy("v1", [device.id])
        serves(device.poll(), rollout)
        assert world.api.delete(f"{DEVAUTH}/{device.id}").status_code == 204
        assert device.poll().status_code == 401
        server.drain()
        assert world.api.get(f"{DEVAUTH}/{device.id}").status_code == 404
        assert world.show(rollout)["status"] == "finished"

    def test_users_and_their_tokens(self, world: World, http: httpx2.Client):
        email = f"{uuid.uuid4().hex}@example.com"
        body = {"email": email, "password": PASSWORD}
        made = world.api.post(USERS, json=body)
        assert made.status_code == 201
        assert world.api.post(USERS, json=body).status_code == 422
        token = http.post(LOGIN, auth=(email, PASSWORD)).text
        theirs = {"Authorization": f"Bearer {token}"}
        for number in range(limits.TOKENS_PER_USER):
            assert http.post(TOKENS, json={"name": str(number), "expires_in": 60}, headers=theirs).is_success
        assert http.post(TOKENS, json={"name": "more", "expires_in": 60}, headers=theirs).status_code == 422
        assert world.api.delete(made.headers["Location"]).status_code == 204
        assert http.get(TOKENS, headers=theirs).status_code == 401
        assert http.post(LOGIN, auth=(email, PASSWORD)).status_code == 401


def test_lists_skip_deleted_items(server: LocalServer, world: World):
    mine = Tenant(world)
    lists = [
        route.uri()
        for route in routes(server.app)
        if route.spec.method == "GET" and route.spec.auth is Auth.USER and not route.variables
    ]
    with stale_indexes():
        shown = {uri: world.api.get(uri).status_code for uri in lists}
        world.abort(mine.deployment)
        for place in (
            f"{DEVAUTH}/{mine.device.id}",
            f"{ARTIFACTS}/{mine.artifact}",
            f"/api/management/v2/inventory/filters/{mine.filter}",
            f"{M1}/iot-manager/integrations/{mine.integration}",
            f"{M1}/useradm/roles/{mine.role}",
            f"/api/management/v2/useradm/permission_sets/{mine.set}",
            f"{TOKENS}/{mine.token}",
            f"{USERS}/{mine.colleague}",
        ):
            assert world.api.delete(place).status_code in {202, 204}, place
        server.drain()

        assert {uri: world.api.get(uri).status_code for uri in lists} == shown

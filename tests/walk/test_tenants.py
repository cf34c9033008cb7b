"""A tenant never sees, changes, counts or learns of another's things: every route, with every id of the other."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from chalicelib.http.identity import Auth
from tests.deployments.world import World, serves
from tests.walk.table import Route, routes

BODIES: dict[str, Any] = {
    "PUT /management/v2/devauth/devices/{id}/auth/{aid}/status": {"status": "rejected"},
    "PATCH /management/v1/deployments/deployments/{id}": {"update_control_map": {"priority": 1}},
    "PUT /management/v2/devauth/devices/{id}/flags": {"test_device": True},
    "PUT /management/v1/deployments/deployments/{id}/status": {"status": "aborted"},
    "PUT /management/v1/deployments/artifacts/{id}": {"description": "changed"},
    "PUT /management/v1/inventory/devices/{id}/group": {"group": "stolen"},
    "PUT /management/v1/inventory/devices/{id}/tags": [{"name": "a", "value": "b"}],
    "PATCH /management/v1/inventory/devices/{id}/tags": [{"name": "a", "value": "b"}],
    "PUT /management/v1/iot-manager/integrations/{id}/credentials": {
        "type": "http",
        "http": {"url": "https://stolen.example"},
    },
    "PUT /management/v2/inventory/filters/{id}": {"name": "changed", "terms": []},
    "PUT /management/v2/tenantadm/tenants/{id}/child": {"name": "stolen"},
    "POST /management/v2/tenantadm/tenants/{id}/cancel": {"reason": "stolen"},
    "POST /management/v2/tenantadm/tenants/{id}/plan": {"requested_plan": "os"},
    "PUT /management/v2/tenantadm/tenants/{id}/status": {"status": "suspended"},
    "PUT /management/v1/deviceconfig/configurations/device/{id}": {"stolen": "yes"},
    "POST /management/v1/deviceconfig/configurations/device/{id}/deploy": {},
    "POST /management/v1/useradm/users/{id}/assign": {"tenant_ids": []},
    "PUT /management/v1/devicemonitor/settings/global/channel/alerts/{name}/status": {"enabled": False},
    "PUT /management/v1/useradm/users/{id}": {"email": "stolen@example.com"},
    "PATCH /management/v2/deployments/deployments/releases/{name}": {"notes": "changed"},
    "PUT /management/v1/useradm/roles/{id}": {"description": "changed"},
    "PUT /management/v2/useradm/roles/{id}": {"description": "changed"},
    "PUT /management/v2/useradm/permission_sets/{id}": {"permissions": []},
    "PUT /management/v2/deployments/deployments/releases/{name}/tags": ["changed"],
    "PUT /devices/v1/deployments/device/deployments/{id}/status": {"status": "success"},
    "PUT /devices/v1/deployments/device/deployments/{id}/log": {
        "messages": [{"timestamp": "2016-10-27T07:00:00Z", "level": "a", "message": "b"}]
    },
}
"""Bodies that would work if the id were the caller's own."""


OPEN_TO_ALL = {
    "GET /management/v1/useradm/auth/sso/{id}/login",
    "GET /management/v1/useradm/oidc/{id}/callback",
    "GET /management/v1/useradm/oidc/{id}/start",
}
"""Who knows an identity provider's id may begin to log in there; nobody has a tenant before."""


def identity_provider(world: World) -> str:
    """The id of an identity provider of the tenant; set up past the API, which would call it."""
    from chalicelib.aws import vault
    from chalicelib.storage.transactions import Transaction
    from chalicelib.useradm.tables import providers

    tenant = world.api.get("/api/management/v1/useradm/users/me").json()["tenant_id"]
    made = str(uuid.uuid4())
    where = "https://login.example.com"
    tx = Transaction()
    providers.put_new(
        tx,
        providers.Provider(
            id=made,
            tenant=tenant,
            issuer=where,
            well_known=where,
            client_id="one",
            secret=vault.seal("secret", tenant, made),
            domains=(),
            auto_provision=False,
            roles=(),
        ),
    )
    tx.commit()
    return made


class Tenant:
    """A tenant with one of everything."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.device = world.device()
        self.device.inventory()
        shown = world.api.get(f"/api/management/v2/devauth/devices/{self.device.id}").json()
        self.auth_set = shown["auth_sets"][0]["id"]
        self.release = f"release-{uuid.uuid4().hex[:6]}"
        self.group = f"group-{uuid.uuid4().hex[:6]}"
        self.artifact = world.upload(self.release)
        place = f"/api/management/v1/inventory/devices/{self.device.id}/group"
        assert world.api.put(place, json={"group": self.group}).status_code == 204
        self.deployment = world.deploy(self.release, [self.device.id, str(uuid.uuid4())], update_control_map={})
        serves(self.device.poll(), self.deployment)
        terms = [{"scope": "identity", "attribute": "status", "type": "$eq", "value": "accepted"}]
        filters = "/api/management/v2/inventory/filters"
        saved = world.api.post(filters, json={"name": f"filter-{uuid.uuid4().hex[:6]}", "terms": terms})
        self.filter = saved.headers["Location"].rsplit("/", 1)[-1]
        hook = {"type": "http", "http": {"url": f"https://{uuid.uuid4().hex[:6]}.example"}}
        made = world.api.post(
            "/api/management/v1/iot-manager/integrations",
            json={"provider": "webhook", "credentials": hook, "scopes": ["deviceauth", "deployments"]},
        )
        self.integration = made.headers["Location"].rsplit("/", 1)[-1]
        self.provider = identity_provider(world)
        self.role, self.set = f"role-{uuid.uuid4().hex[:6]}", f"set-{uuid.uuid4().hex[:6]}"
        for kind, body in (
            ("permission_sets", {"name": self.set, "permissions": []}),
            ("roles", {"name": self.role, "permission_sets_with_scope": [{"name": self.set}]}),
        ):
            assert world.api.post(f"/api/management/v2/useradm/{kind}", json=body).status_code == 201
        self.user = world.api.get("/api/management/v1/useradm/users/me").json()["id"]
        self.tenant = world.api.get("/api/management/v2/tenantadm/tenants/me").json()["id"]
        configuration = f"/api/management/v1/deviceconfig/configurations/device/{self.device.id}"
        assert world.api.put(configuration, json={"owner": self.release}).status_code == 204
        about = {"name": self.release, "type": "log", "status": "on"}
        alert = {"name": self.release, "level": "CRITICAL", "timestamp": "2024-03-01T10:00:00Z", "subject": about}
        for what, told in (("alert", alert), ("config", about)):
            assert self.device.call("POST", f"/v1/devicemonitor/{what}", [told]).status_code == 204

    def values(self, path: str) -> list[dict[str, str]]:
        """What the variables of a path may be, if they are this tenant's."""
        device, group = self.device.id, self.group
        ids = [device, self.artifact, self.deployment, self.user, self.auth_set, self.filter, self.integration]
        ids.append(self.provider)
        if "/useradm/" in path:
            ids += [self.role, self.set]
        if "/tenants/" in path:
            ids = [self.tenant]  # the only ids that are no UUIDs
        names = [self.release, group, "max_devices"]
        return [
            {
                "id": each,
                "aid": self.auth_set,
                "device_id": device,
                "deviceId": device,
                "deployment_id": self.deployment,
                "integrationId": self.integration,
                "name": name,
            }
            for each in (ids if "{id}" in path else ids[:1])
            for name in (names if "{name}" in path else names[:1])
        ]

    def snapshot(self) -> dict[str, Any]:
        """Everything that others could have changed."""
        api = self.world.api
        paths = [
            "/v2/devauth/devices",
            "/v2/devauth/devices/count",
            "/v1/inventory/devices",
            "/v1/inventory/groups",
            f"/v1/inventory/groups/{self.group}/devices",
            "/v1/iot-manager/integrations",
            "/v2/inventory/filters",
            "/v1/deployments/artifacts",
            "/v1/deployments/deployments",
            f"/v1/deployments/deployments/{self.deployment}/devices/list",
            f"/v1/deployments/deployments/devices/{self.device.id}",
            f"/v1/deviceconfig/configurations/device/{self.device.id}",
            f"/v1/devicemonitor/devices/{self.device.id}/alerts",
            f"/v1/devicemonitor/devices/{self.device.id}/alerts/latest",
            f"/v1/devicemonitor/devices/{self.device.id}/config",
            "/v2/deployments/deployments/releases",
            "/v1/deployments/limits/storage",
            "/v1/useradm/users",
            "/v2/useradm/roles",
            "/v2/useradm/permission_sets",
            "/v1/useradm/settings",
            "/v1/useradm/sso/idp/metadata",
            "/v1/useradm/settings/tokens",
            "/v1/tenantadm/user/tenant",
            "/v2/tenantadm/metrics",
        ]
        return {path: api.get(f"/api/management{path}").json() for path in paths}

    def secrets(self) -> list[str]:
        """What must not appear in another tenant's answers."""
        return [
            self.device.id,
            self.artifact,
            self.deployment,
            self.user,
            self.auth_set,
            self.release,
            self.group,
            self.filter,
            self.integration,
            self.provider,
            self.role,
            self.set,
        ]


@pytest.fixture
def mine(api, http, tenant) -> Tenant:
    return Tenant(World(api, http, tenant.tenant_token))


@pytest.fixture
def theirs(server, http, sign_in) -> Tenant:
    from chalicelib.tenantadm import service

    other = service.create_tenant("Other")
    return Tenant(World(sign_in(other), http, other.tenant_token))


def plain(text: str, names: dict[str, str]) -> str:
    """An answer without what differs between any two calls: request id, times, and the names that were asked for."""
    for name in sorted(names.values(), key=len, reverse=True):
        text = text.replace(name, "NAME")
    return re.sub(r'"request_id":"[^"]*"', "", text)


def ask(tenant: Tenant, route: Route, values: dict[str, str]) -> tuple[int, str]:
    body = BODIES.get(route.name)
    if route.spec.auth is Auth.DEVICE:
        headers = {"Authorization": f"Bearer {tenant.device.token}"}
        answer = tenant.world.http.request(route.spec.method, route.uri(values), json=body, headers=headers)
    else:
        answer = tenant.world.api.request(route.spec.method, route.uri(values), json=body)
    return answer.status_code, plain(answer.text, values)


def test_every_id_of_another_tenant_is_an_id_that_does_not_exist(server, mine: Tenant, theirs: Tenant) -> None:
    before = theirs.snapshot()
    unknown = str(uuid.uuid4())
    for route in routes(server.app):
        if "{" not in route.spec.path or route.name in OPEN_TO_ALL:
            continue
        for values in theirs.values(route.spec.path):
            strange = {
                name: value if value == "max_devices" else unknown if name != "name" else f"none-{unknown[:8]}"
                for name, value in values.items()
            }
            assert ask(mine, route, values) == ask(mine, route, strange), (route.name, values)
    theirs.world.http.cookies.clear()
    assert theirs.snapshot() == before


def test_every_list_and_total_is_ones_own(server, mine: Tenant, theirs: Tenant) -> None:
    for route in routes(server.app):
        if route.spec.method != "GET" or "{" in route.spec.path or route.spec.auth is not Auth.USER:
            continue
        answer = mine.world.api.get(route.uri())
        text = answer.text + str(answer.headers)
        assert answer.status_code < 500, route.name
        for secret in theirs.secrets():
            assert secret not in text, (route.name, secret)
    totals = mine.world.api.get("/api/management/v1/deployments/deployments").headers["X-Total-Count"]
    assert totals == "1"


def test_ids_in_bodies_and_queries_are_ones_own(mine: Tenant, theirs: Tenant) -> None:
    api = mine.world.api
    before = theirs.snapshot()
    search = api.post("/api/management/v2/devauth/devices/search", json={"id": [theirs.device.id]})
    assert search.json() == []
    assert api.get("/api/management/v2/devauth/devices", params={"id": theirs.device.id}).json() == []
    many = api.post(
        "/api/management/v1/deployments/deployments/statistics/list", json={"deployment_ids": [theirs.deployment]}
    )
    assert many.status_code == 404
    deploy = api.post(
        "/api/management/v1/deployments/deployments",
        json={"name": "x", "artifact_name": theirs.release, "devices": [theirs.device.id]},
    )
    assert deploy.status_code == 422
    mine.world.deploy(mine.release, [theirs.device.id])
    moved = api.patch("/api/management/v1/inventory/groups/stolen/devices", json=[theirs.device.id])
    assert "updated_count" not in moved.json()
    assert api.delete(f"/api/management/v2/deployments/deployments/releases?name={theirs.release}").status_code == 204
    assert theirs.snapshot() == before
    serves(theirs.device.poll(), theirs.deployment)


def test_a_configuration_link_leads_to_its_own_tenant_only(mine: Tenant, theirs: Tenant) -> None:
    place = f"/api/management/v1/deviceconfig/configurations/device/{theirs.device.id}/deploy"
    deployment = theirs.world.api.post(place, json={}).json()["deployment_id"]
    theirs.device.report(theirs.deployment, "success")
    link = serves(theirs.device.poll(), deployment)["source"]["uri"]
    their_id, my_id = (str(each.device.claims["mender.tenant"]) for each in (theirs, mine))
    assert theirs.world.http.get(link).status_code == 200
    assert theirs.world.http.get(link.replace(their_id, my_id)).status_code == 403


def test_a_tenant_token_leads_to_its_own_tenant_only(mine: Tenant, theirs: Tenant) -> None:
    twin = mine.world.device(identity=theirs.device.identity)
    assert twin.id != theirs.device.id
    assert twin.claims["mender.tenant"] != theirs.device.claims["mender.tenant"]

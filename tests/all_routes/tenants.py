"""A tenant with one of everything, and the ids and bodies that each route needs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from chalicelib import limits
from chalicelib.aws import vault
from chalicelib.deviceconnect.rules.envelope import Message, Proto
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import Transaction
from chalicelib.tenantadm import service
from chalicelib.useradm.tables import providers
from tests.conftest import PASSWORD
from tests.deployments.world import World, serves
from tests.deviceconnect.peers import FakeDevice, hear, opened, say, user_path
from tests.simulator.device import Device
from tests.support.waiting import until

Values = dict[str, str]
"""Path variables."""

_RULE = {"name": "stolen", "type": "pattern", "pattern": {"stolen": "*"}}
BODIES: dict[str, Any] = {
    "POST /management/v2/devauth/acceptance/rules": _RULE,
    "PUT /management/v2/devauth/acceptance/rules/{id}": _RULE,
    "POST /management/v2/devauth/acceptance/identities": [{"identity_data": {"serial": "stolen"}}],
    "POST /management/v2/devauth/acceptance/preview": _RULE,
    "PUT /management/v2/devauth/devices/{id}/auth/{aid}/status": {"status": "rejected"},
    "PATCH /management/v1/deployments/deployments/{id}": {"update_control_map": {"priority": 1}},
    "PUT /management/v2/devauth/devices/{id}/flags": {"test_device": True},
    "PUT /management/v1/deployments/deployments/{id}/status": {"status": "aborted"},
    "POST /management/v1/deployments/deployments/{id}/retry": {"name": "stolen"},
    "POST /management/v1/deployments/deployments/{id}/approval": {"approve": True},
    "POST /management/v1/deployments/deployments/{id}/rollout": {"action": "pause"},
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
    "POST /management/v1/deployments/deployments/group/{name}": {"name": "stolen", "artifact_name": "stolen"},
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
"""Bodies that would work if the id belonged to the caller."""


def public_key() -> str:
    """A new public key in PEM."""
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def identity_provider(world: World, secret: str) -> str:
    """Add an identity provider to the tenant and return its id; not through the API, which would call the provider."""
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
            secret=vault.seal(secret, tenant, made),
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
        self.spare = world.device()
        self.auth_set, self.spare_set = map(self._auth_set, (self.device, self.spare))
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
        self.provider_secret = uuid.uuid4().hex
        self.provider = identity_provider(world, self.provider_secret)
        self.role, self.set = f"role-{uuid.uuid4().hex[:6]}", f"set-{uuid.uuid4().hex[:6]}"
        for kind, body in (
            ("permission_sets", {"name": self.set, "permissions": []}),
            ("roles", {"name": self.role, "permission_sets_with_scope": [{"name": self.set}]}),
        ):
            assert world.api.post(f"/api/management/v2/useradm/{kind}", json=body).status_code == 201
        tokens = "/api/management/v1/useradm/settings/tokens"
        assert world.api.post(tokens, json={"name": "script", "expires_in": 86_400}).status_code == 200
        self.token = world.api.get(tokens).json()[0]["id"]
        added = world.api.post("/api/management/v1/deployments/trust/keys", json={"name": "key", "pem": public_key()})
        self.trusted_key = added.headers["Location"].rsplit("/", 1)[-1]
        in_parts = {"size": 1, "part_size": limits.UPLOAD_PART_MIN}
        announced = world.api.post("/api/management/v1/deployments/artifacts/directupload", json=in_parts)
        self.announced = announced.json()["id"]
        log = {"messages": [{"timestamp": "2016-10-27T07:00:00Z", "level": "a", "message": self.release}]}
        place = f"/v1/deployments/device/deployments/{self.deployment}/log"
        assert self.device.call("PUT", place, log).status_code == 204
        colleague = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
        added = world.api.post("/api/management/v1/useradm/users", json=colleague)
        self.colleague = added.headers["Location"].rsplit("/", 1)[-1]
        self.session = ""
        self.children: list[str] = []
        me = world.api.get("/api/management/v1/useradm/users/me").json()
        self.user, self.email = me["id"], me["email"]
        self.tenant = world.api.get("/api/management/v2/tenantadm/tenants/me").json()["id"]
        configuration = f"/api/management/v1/deviceconfig/configurations/device/{self.device.id}"
        assert world.api.put(configuration, json={"owner": self.release}).status_code == 204
        about = {"name": self.release, "type": "log", "status": "on"}
        alert = {"name": self.release, "level": "CRITICAL", "timestamp": "2024-03-01T10:00:00Z", "subject": about}
        for what, told in (("alert", alert), ("config", about)):
            assert self.device.call("POST", f"/v1/devicemonitor/{what}", [told]).status_code == 204
        self._add_acceptance()

    def _add_acceptance(self) -> None:
        api = self.world.api
        acceptance = "/api/management/v2/devauth/acceptance"
        rule = {"name": self.release, "type": "pattern", "pattern": {"owner": self.release}}
        made = api.post(f"{acceptance}/rules", json=rule)
        assert made.status_code == 201, made.text
        self.rule = made.headers["Location"].rsplit("/", 1)[-1]
        expected = [{"identity_data": {"owner": self.release}}]
        assert api.post(f"{acceptance}/identities", json=expected).status_code == 200
        self.expected = api.get(f"{acceptance}/identities").json()[0]["id"]

    def _auth_set(self, device: Device) -> str:
        shown = self.world.api.get(f"/api/management/v2/devauth/devices/{device.id}").json()
        return str(shown["auth_sets"][0]["id"])

    def add_child(self) -> None:
        """Make it a service provider with a child tenant."""
        service.set_service_provider(TenantId(self.tenant), enabled=True)
        admin = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
        body = {"name": "Child", "admin": admin}
        made = self.world.api.post("/api/management/v2/tenantadm/tenants", json=body)
        assert made.status_code == 202, made.text
        self.children.append(made.headers["Location"].rsplit("/", 1)[-1])

    @contextmanager
    def connected(self, url: str) -> Iterator[None]:
        """Connect its device, and record a terminal session."""
        token = str(self.world.api.headers["Authorization"]).removeprefix("Bearer ")
        with FakeDevice(url, str(self.device.token)) as device:
            with opened(url, user_path(str(self.device.id)), token) as user:
                say(user, Message(Proto.SHELL, "new"))
                self.session = hear(user).sid
                say(user, Message(Proto.SHELL, "shell", body=b"ls"))
                hear(user)
            device.wait_for(lambda message: message.typ == "stop")
            place = f"/api/management/v1/deviceconnect/sessions/{self.session}/recording"
            until("there is a recording", lambda: self.world.api.get(place).is_success)
            yield

    def values(self, path: str) -> list[Values]:
        """Possible values of the variables of a path, all of this tenant."""
        device, group = self.device.id, self.group
        ids = [device, self.artifact, self.deployment, self.user, self.auth_set, self.filter, self.integration]
        ids += [self.provider, str(self.spare.id), self.spare_set]
        if "/useradm/" in path:
            ids += [self.role, self.set, self.token]
        if "/trust/" in path:
            ids.append(self.trusted_key)
        if "/acceptance/" in path:
            ids += [self.rule, self.expected]
        if "/directupload/" in path:
            ids.append(self.announced)
        if "/tenants/" in path:
            ids = [*self.children, self.tenant]  # the only ids that are not UUIDs
        if "/users/" in path:
            ids.insert(0, self.colleague)  # before the caller
        if "/sessions/" in path:
            ids.append(self.session or self.device.id)
        names = [self.release, group]
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
        """Everything that other tenants could have changed."""
        api = self.world.api
        paths = [
            "/v2/devauth/devices",
            "/v2/devauth/devices/count",
            "/v2/devauth/acceptance/identities",
            "/v2/devauth/acceptance/rules",
            f"/v1/deviceconnect/devices/{self.device.id}",
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
            "/v1/deployments/trust/keys",
            "/v1/deployments/trust/policy",
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

    def names(self) -> Values:
        """Names that a query or a body may contain."""
        return {
            "device": str(self.device.id),
            "deployment": self.deployment,
            "release": self.release,
            "group": self.group,
            "user": self.user,
            "email": self.email,
            "integration": self.integration,
            "filter": self.filter,
            "role": self.role,
            "set": self.set,
            "tenant": self.tenant,
        }

    def secrets(self) -> list[str]:
        """What must not appear in the answers to another tenant."""
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
            self.token,
            self.announced,
            self.colleague,
            *self.children,
            *filter(None, [self.session]),
        ]

"""The data in the scope of one role: devices by their group, releases by their tag."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.deployments.world import World, serves

if TYPE_CHECKING:
    import httpx2

    from tests.all_routes.table import Route
    from tests.simulator.device import Device

M1, M2 = "/api/management/v1", "/api/management/v2"


@dataclass
class ScopedData:
    """A device in a group, a tagged release, and deployments of both."""

    world: World
    suffix: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def __post_init__(self) -> None:
        api = self.world.api
        self.group, self.tag, self.release = f"group-{self.suffix}", f"tag-{self.suffix}", f"release-{self.suffix}"
        self.device: Device = self.world.device()
        self.device.inventory({f"own-{self.suffix}": self.suffix})
        self.id = self.device.id
        shown = api.get(f"{M2}/devauth/devices/{self.id}").json()
        self.auth_set = shown["auth_sets"][0]["id"]
        self.ok(api.put(f"{M1}/inventory/devices/{self.id}/group", json={"group": self.group}))
        self.ok(
            api.put(f"{M1}/inventory/devices/{self.id}/tags", json=[{"name": "t", "value": f"value-{self.suffix}"}])
        )
        self.artifact = self.world.upload(self.release, (f"type-{self.suffix}", "qemux86-64"))
        self.ok(api.put(f"{M2}/deployments/deployments/releases/{self.release}/tags", json=[self.tag]))
        wanted = {"key": f"config-{self.suffix}"}
        self.ok(api.put(f"{M1}/deviceconfig/configurations/device/{self.id}", json=wanted))
        terms = {"name": f"filter-{self.suffix}", "terms": [self.term()]}
        made = api.post(f"{M2}/inventory/filters", json=terms)
        self.ok(made)
        self.filter = made.headers["Location"].rsplit("/", 1)[-1]
        self.deployment = self.world.deploy(self.release, [self.id], name=f"one-{self.suffix}")
        serves(self.device.poll(), self.deployment)
        self.device.report(self.deployment, "failure")
        log = {"messages": [{"timestamp": "2016-10-27T07:00:00Z", "level": "a", "message": f"log-{self.suffix}"}]}
        self.ok(self.device.call("PUT", f"/v1/deployments/device/deployments/{self.deployment}/log", log))
        self.of_group = self.world.deploy(self.release, group=self.group, name=f"group-{self.suffix}")
        serves(self.device.poll(), self.of_group)

    @staticmethod
    def ok(answer: httpx2.Response) -> None:
        assert answer.status_code < 300, answer.text

    @property
    def deployments(self) -> list[str]:
        return [self.deployment, self.of_group]

    def of_devices(self) -> list[str]:
        """Texts that reveal the device."""
        identity = [str(value) for value in self.device.identity.values()]
        own = [
            f"own-{self.suffix}",
            f"config-{self.suffix}",
            f"value-{self.suffix}",
            f"log-{self.suffix}",
            f"one-{self.suffix}",
            self.group,
        ]
        return [self.id, self.auth_set, *self.deployments, *identity, *own]

    def of_releases(self) -> list[str]:
        """Texts that reveal the release."""
        return [self.artifact, *self.deployments, self.release, self.tag, f"type-{self.suffix}", f"one-{self.suffix}"]

    def values(self, route: Route) -> Iterator[dict[str, str]]:
        """Possible values of the variables of a route's path."""
        ids = [self.id, self.auth_set, self.artifact, self.filter, *self.deployments]
        names = [self.group] if "/inventory/" in route.spec.path else [self.release, self.group]
        for each in ids if "id" in route.variables else ids[:1]:
            for name in names if "name" in route.variables else names[:1]:
                values = dict.fromkeys(route.variables, self.id)
                yield values | {"id": each, "name": name, "aid": self.auth_set}

    def bodies(self, route: Route) -> Iterator[Any]:
        """Bodies that would change this data, for any kind of route."""
        if route.spec.method == "GET" or route.spec.body is None:
            yield ...
            return
        yield [self.id, self.auth_set, self.release, *self.deployments]
        yield [{"name": "x", "value": "y", "scope": "tags"}]
        about: dict[str, Any] = {"name": f"new-{uuid.uuid4().hex[:6]}", "notes": "x", "description": "x", "x": "y"}
        about |= {"artifact_name": self.release, "group": self.group, "deployment_ids": self.deployments}
        about |= {
            "device_ids": [self.id],
            "id": [self.id],
            "terms": [self.term()],
            "identity_data": self.device.identity,
        }
        about |= {"pubkey": self.device.pubkey, "force": True}
        for status in ("rejected", "aborted"):
            yield about | {"status": status, "devices": [self.id]}
        yield about | {"all_devices": True}
        yield about | {"id": self.id, "filters": [self.term()], "devices": [self.id, self.id + "x"]}

    def term(self) -> dict[str, Any]:
        return {"scope": "identity", "attribute": "status", "type": "$eq", "value": "accepted"}

    def queries(self, route: Route) -> Iterator[dict[str, str]]:
        """Queries that would find this data."""
        yield {}
        if route.spec.method in {"GET", "DELETE"} and not route.variables:
            yield {"id": self.id, "device_id": self.id}
            yield {"name": self.release, "group": self.group, "tag": self.tag, "artifact_name": self.release}
            yield {"search": f"one-{self.suffix}", "name": f"one-{self.suffix}", "status": "finished"}

    def state(self) -> dict[str, Any]:
        """Everything that other users could have changed."""
        paths = [
            f"{M2}/devauth/devices/{self.id}",
            f"{M1}/inventory/devices/{self.id}",
            f"{M1}/inventory/groups/{self.group}/devices",
            f"{M1}/deployments/artifacts/{self.artifact}",
            f"{M2}/deployments/deployments/releases/{self.release}",
            *(f"{M1}/deployments/deployments/{each}" for each in self.deployments),
            f"{M1}/deployments/deployments/devices/{self.id}",
        ]
        return {path: self.world.api.get(path).json() for path in paths}

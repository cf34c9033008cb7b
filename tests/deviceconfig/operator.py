"""Short calls of an operator and a device for its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.deployments.world import serves

if TYPE_CHECKING:
    import httpx2

    from tests.deployments.world import World
    from tests.simulator.device import Device

PLACE = "/api/management/v1/deviceconfig/configurations/device"
OWN = "/v1/deviceconfig/configuration"


def fetch(world: World, link: str, **headers: str) -> httpx2.Response:
    """Download a link as devices do."""
    return world.http.get(link, headers=headers)


@dataclass
class Configured:
    """A device of ``world`` and its configuration."""

    world: World
    device: Device

    def shown(self) -> dict[str, Any]:
        """The configuration as operators see it."""
        answer = self.world.api.get(f"{PLACE}/{self.device.id}")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def set(self, configuration: Any) -> httpx2.Response:
        """An operator replaces the wanted configuration."""
        return self.world.api.put(f"{PLACE}/{self.device.id}", json=configuration)

    def report(self, configuration: Any) -> httpx2.Response:
        """The device reports its configuration."""
        return self.device.call("PUT", OWN, configuration)

    def own(self) -> dict[str, str]:
        """The configuration as the device gets it."""
        answer = self.device.call("GET", OWN)
        assert answer.status_code == 200, answer.text
        told: dict[str, str] = answer.json()
        return told

    def deploy(self, **asked: Any) -> str:
        """Deploy; returns the deployment's id."""
        answer = self.world.api.post(f"{PLACE}/{self.device.id}/deploy", json=asked)
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"deployment_id"}
        deployment: str = answer.json()["deployment_id"]
        return deployment

    def link(self, deployment: str) -> str:
        """The link in the answer to the device's poll."""
        source: dict[str, str] = serves(self.device.poll(), deployment)["source"]
        return source["uri"]

"""An operator's calls of the management API."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from tests.clients.device import MenderClient

DEVAUTH = "/api/management/v2/devauth/devices"
DEPLOYMENTS = "/api/management/v1/deployments/deployments"
ARTIFACTS = "/api/management/v1/deployments/artifacts"
INVENTORY = "/api/management/v1/inventory/devices"
TRUST = "/api/management/v1/deployments/trust/policy"
CONFIGURATIONS = "/api/management/v1/deviceconfig/configurations/device"


class Operator:
    """An administrator, for everything for which ``mender-cli`` has no command."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http

    def get(self, place: str) -> Any:
        """Read a JSON document, which must exist."""
        answer = self._http.get(place)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def has(self, place: str) -> bool:
        """Whether a path exists."""
        return self._http.get(place).status_code == 200

    def trigger(self, client: MenderClient, command: str) -> None:
        """Make a connected device poll or send its inventory now."""
        answer = self._http.post(f"/api/management/v1/deviceconnect/devices/{client.id}/{command}")
        assert answer.status_code == 202, answer.text

    def pending(self, client: MenderClient) -> dict[str, Any] | None:
        """The device if it is pending."""
        waiting = self.get(f"{DEVAUTH}?status=pending")
        return next((each for each in waiting if each["identity_data"]["SerialNo"] == client.serial), None)

    def accept(self, client: MenderClient) -> None:
        """Accept a device as soon as it is pending."""
        device = client.wait("asks to be accepted", lambda: self.pending(client))
        client.id = device["id"]
        place = f"{DEVAUTH}/{client.id}/auth/{device['auth_sets'][0]['id']}/status"
        answer = self._http.put(place, json={"status": "accepted"})
        assert answer.status_code == 204, answer.text

    def create(self, place: str, body: Any) -> None:
        """Create something from a JSON document."""
        answer = self._http.post(place, json=body)
        assert answer.is_success, answer.text

    def accepted(self, client: MenderClient) -> str:
        """The id of the device if it is accepted; it becomes the client's id."""
        known = self.get(f"{DEVAUTH}?status=accepted&per_page=500")
        client.id = next((each["id"] for each in known if each["identity_data"]["SerialNo"] == client.serial), "")
        return client.id

    def inventory(self, client: MenderClient) -> dict[str, Any]:
        """A device's attributes; empty if it has not reported any."""
        answer = self._http.get(f"{INVENTORY}/{client.id}")
        if answer.status_code == 404:
            return {}
        assert answer.status_code == 200, answer.text
        told = [each for each in answer.json()["attributes"] if each["scope"] == "inventory"]
        return {each["name"]: each["value"] for each in told}

    def deploy(self, artifact: str, *clients: MenderClient) -> str:
        """Deploy to these devices; returns the deployment's id."""
        body = {"name": "rollout", "artifact_name": artifact, "devices": [client.id for client in clients]}
        answer = self._http.post(DEPLOYMENTS, json=body)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"].rsplit("/", 1)[-1]

    @contextmanager
    def policy(self, *, signatures: str = "off", downgrades: str = "allow") -> Iterator[None]:
        """A block in which the tenant has this trust policy."""
        self._set_policy(signatures, downgrades)
        try:
            yield
        finally:
            self._set_policy("off", "allow")

    def _set_policy(self, signatures: str, downgrades: str) -> None:
        answer = self._http.put(TRUST, json={"signatures": signatures, "downgrades": downgrades})
        assert answer.status_code == 204, answer.text

    def configure(self, client: MenderClient, configuration: dict[str, str]) -> str:
        """Configure a device and deploy the configuration; returns the deployment's id."""
        place = f"{CONFIGURATIONS}/{client.id}"
        answer = self._http.put(place, json=configuration)
        assert answer.status_code == 204, answer.text
        answer = self._http.post(f"{place}/deploy", json={"retries": 0})
        assert answer.status_code == 200, answer.text
        deployment: str = answer.json()["deployment_id"]
        return deployment

    def abort(self, deployment: str) -> None:
        """Abort a deployment."""
        answer = self._http.put(f"{DEPLOYMENTS}/{deployment}/status", json={"status": "aborted"})
        assert answer.status_code == 204, answer.text

    def deployment(self, deployment: str) -> dict[str, Any]:
        """A deployment."""
        shown: dict[str, Any] = self.get(f"{DEPLOYMENTS}/{deployment}")
        return shown

    def numbers(self, deployment: str) -> dict[str, int]:
        """The statistics that are not 0."""
        counted = self.get(f"{DEPLOYMENTS}/{deployment}/statistics")
        return {status: count for status, count in counted.items() if count}

    def row(self, deployment: str, client: MenderClient) -> dict[str, Any]:
        """The device row of a deployment; empty until the device has polled."""
        rows = self.get(f"{DEPLOYMENTS}/{deployment}/devices")
        return next((row for row in rows if row["id"] == client.id), {})

    def log(self, deployment: str, client: MenderClient) -> str:
        """The log that a device sent for a deployment; empty if there is none."""
        answer = self._http.get(f"{DEPLOYMENTS}/{deployment}/devices/{client.id}/log")
        return answer.text if answer.status_code == 200 else ""

"""One tenant with its administrator, devices and artifacts, and short calls for common steps."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.simulator.artifacts import build_artifact
from tests.simulator.device import Device

DEPLOYMENTS = "/api/management/v1/deployments/deployments"
DEVAUTH = "/api/management/v2/devauth/devices"


def _as_go_has_it(identity: dict[str, Any]) -> Any:
    return json.loads(json.dumps(identity), parse_int=float)


@dataclass
class World:
    """One tenant. ``api`` is an administrator's client, ``http`` one without a token, ``token`` the tenant token."""

    api: httpx2.Client
    http: httpx2.Client
    token: str
    devices: list[Device] = field(default_factory=list)

    def device(self, **more: Any) -> Device:
        """A new accepted device with a token."""
        device = Device(self.http, self.token, **more)
        assert device.auth().status_code == 401
        found = self.api.get(DEVAUTH, params={"status": "pending", "per_page": 500}).json()
        pending = next(each for each in found if _as_go_has_it(each["identity_data"]) == _as_go_has_it(device.identity))
        self.accept(pending["id"], pending["auth_sets"][0]["id"])
        assert device.auth().status_code == 200
        self.devices.append(device)
        return device

    def accept(self, device_id: str, auth_set: str) -> None:
        """Accept a device's key."""
        answer = self.api.put(f"{DEVAUTH}/{device_id}/auth/{auth_set}/status", json={"status": "accepted"})
        assert answer.status_code == 204, answer.text

    def upload(self, name: str, device_types: tuple[str, ...] = ("qemux86-64",), **more: Any) -> str:
        """Upload an artifact; returns its id."""
        data = build_artifact(name, device_types, **more)
        answer = self.api.post(
            "/api/management/v1/deployments/artifacts",
            files={"artifact": ("artifact.mender", data, "application/octet-stream")},
        )
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"].rsplit("/", 1)[-1]

    def deploy(self, artifact: str, devices: list[str] | None = None, *, group: str | None = None, **more: Any) -> str:
        """Create a deployment, by default for all devices; returns its id."""
        body: dict[str, Any] = {"name": "rollout", "artifact_name": artifact, **more}
        if group is None:
            body |= {"all_devices": True} if devices is None else {"devices": devices}
        answer = self.api.post(DEPLOYMENTS + (f"/group/{group}" if group else ""), json=body)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"].rsplit("/", 1)[-1]

    def show(self, deployment: str) -> dict[str, Any]:
        """The deployment."""
        answer = self.api.get(f"{DEPLOYMENTS}/{deployment}")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def numbers(self, deployment: str) -> dict[str, int]:
        """The statistics without zeros."""
        answer = self.api.get(f"{DEPLOYMENTS}/{deployment}/statistics")
        assert answer.status_code == 200, answer.text
        return {status: count for status, count in answer.json().items() if count}

    def rows(self, deployment: str) -> dict[str, dict[str, Any]]:
        """The device rows, by device."""
        answer = self.api.get(f"{DEPLOYMENTS}/{deployment}/devices/list", params={"per_page": 500})
        assert answer.status_code == 200, answer.text
        return {row["id"]: row for row in answer.json()}

    def abort(self, deployment: str) -> None:
        """Abort a deployment."""
        answer = self.api.put(f"{DEPLOYMENTS}/{deployment}/status", json={"status": "aborted"})
        assert answer.status_code == 204, answer.text


def serves(answer: httpx2.Response, deployment: str) -> dict[str, Any]:
    """Assert that a poll was answered with an artifact of this deployment; returns the artifact."""
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    assert document["id"] == deployment
    artifact: dict[str, Any] = document["artifact"]
    return artifact


def serves_nothing(answer: httpx2.Response) -> None:
    """Assert that a poll was answered with 204."""
    assert answer.status_code == 204, answer.text
    assert answer.content == b""

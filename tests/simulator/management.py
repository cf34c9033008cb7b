"""An operator: accepts devices, uploads artifacts, creates deployments, reads statistics."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tests.simulator.client import Answer, Client

LOGIN = "/api/management/v1/useradm/auth/login"
DEVICES = "/api/management/v2/devauth/devices"
ARTIFACTS = "/api/management/v1/deployments/artifacts"
DEPLOYMENTS = "/api/management/v1/deployments/deployments"
TOKENS = "/api/management/v2/devauth/tokens"
PAGE = 500
PART = 1024 * 1024


class RefusedError(Exception):
    """The server refused an operator's call; the message has its answer."""


class Operator:
    """A user; :meth:`login` comes first."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.token = ""
        """The session's token after the login."""

    async def login(self, user: str, password: str) -> None:
        """Get a token; all other calls use it."""
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        answer = await self._client.send("POST", LOGIN, {"Authorization": f"Basic {pair}"})
        self.token = _require(answer, 200, "login").body.decode()

    async def accept(self, identities: Collection[str]) -> int:
        """Accept the pending devices with one of these identities (``identity_data`` as JSON, keys sorted).

        Returns their number.
        """
        wanted, found = set(identities), []
        page = 1
        while True:
            devices = await self._json("GET", f"{DEVICES}?status=pending&per_page={PAGE}&page={page}")
            found += [each for each in devices if json.dumps(each["identity_data"], sort_keys=True) in wanted]
            if len(devices) < PAGE:
                break
            page += 1
        await asyncio.gather(*map(self._accept, found))
        return len(found)

    async def _accept(self, device: Mapping[str, Any]) -> None:
        path = f"{DEVICES}/{device['id']}/auth/{device['auth_sets'][0]['id']}/status"
        _require(await self._call("PUT", path, {"status": "accepted"}), 204, "accepting a device")

    async def revoke(self, token_id: str) -> None:
        """Revoke a device's token by its claim ``jti``."""
        _require(await self._call("DELETE", f"{TOKENS}/{token_id}"), 204, "revoking a token")

    async def log(self, deployment: str, device: str) -> str:
        """The log that a device sent for a deployment."""
        answer = await self._call("GET", f"{DEPLOYMENTS}/{deployment}/devices/{device}/log")
        return _require(answer, 200, "reading a log").body.decode()

    async def upload(self, artifact: bytes, description: str = "") -> str:
        """Upload an artifact; returns its id."""
        boundary = uuid.uuid4().hex
        lines = [
            f"--{boundary}",
            'Content-Disposition: form-data; name="description"',
            "",
            description,
            f"--{boundary}",
            'Content-Disposition: form-data; name="artifact"; filename="artifact.mender"',
            "Content-Type: application/octet-stream",
            "",
            "",
        ]
        head, tail = "\r\n".join(lines).encode(), f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + len(artifact) + len(tail)),
        }
        answer = await self._client.send("POST", ARTIFACTS, headers, _parts(head, artifact, tail))
        return _created(_require(answer, 201, "uploading an artifact"))

    async def artifact_link(self, artifact: str) -> str:
        """The download link of an artifact."""
        return str((await self._json("GET", f"{ARTIFACTS}/{artifact}/download"))["uri"])

    async def deploy(self, name: str, artifact_name: str, devices: list[str] | None = None, **more: Any) -> str:
        """Deploy to these devices, or to all accepted ones; returns the id. ``more``: further members of the body."""
        chosen: dict[str, Any] = {"all_devices": True} if devices is None else {"devices": devices}
        answer = await self._call("POST", DEPLOYMENTS, {"name": name, "artifact_name": artifact_name, **chosen, **more})
        return _created(_require(answer, 201, "creating a deployment"))

    async def retry(self, deployment: str, body: Mapping[str, Any]) -> str:
        """Deploy again to the devices that failed in a deployment; returns the new one's id."""
        answer = await self._call("POST", f"{DEPLOYMENTS}/{deployment}/retry", body)
        return _created(_require(answer, 201, "retrying a deployment"))

    async def abort(self, deployment: str) -> None:
        """Abort a deployment."""
        answer = await self._call("PUT", f"{DEPLOYMENTS}/{deployment}/status", {"status": "aborted"})
        _require(answer, 204, "aborting a deployment")

    async def show(self, deployment: str) -> dict[str, Any]:
        """A deployment."""
        found: dict[str, Any] = await self._json("GET", f"{DEPLOYMENTS}/{deployment}")
        return found

    async def statistics(self, deployment: str) -> dict[str, int]:
        """The number of devices in each status, without zeros."""
        numbers: dict[str, int] = await self._json("GET", f"{DEPLOYMENTS}/{deployment}/statistics")
        return {status: count for status, count in numbers.items() if count}

    async def rows(self, deployment: str) -> list[dict[str, Any]]:
        """The devices of a deployment that have polled so far."""
        found: list[dict[str, Any]] = await self._json("GET", f"{DEPLOYMENTS}/{deployment}/devices")
        return found

    async def ask(self, method: str, path: str, document: object = None) -> Any:
        """Make any call; returns the decoded answer.

        Raises:
            RefusedError: its status is not 200.
        """
        return json.loads(_require(await self._call(method, path, document), 200, path).body)

    async def _json(self, method: str, path: str) -> Any:
        return await self.ask(method, path)

    async def _call(self, method: str, path: str, document: object = None) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}"}
        if document is None:
            return await self._client.send(method, path, headers)
        headers["Content-Type"] = "application/json"
        return await self._client.send(method, path, headers, json.dumps(document).encode())


def _parts(head: bytes, content: bytes, tail: bytes) -> Iterable[bytes]:
    yield head
    view = memoryview(content)
    for start in range(0, len(content), PART):
        yield bytes(view[start : start + PART])
    yield tail


def _created(answer: Answer) -> str:
    return answer.headers["location"].rsplit("/", 1)[-1]


def _require(answer: Answer, status: int, what: str) -> Answer:
    if answer.status != status:
        raise RefusedError(f"{what}: {answer.status} {answer.body[:500].decode(errors='replace')}")
    return answer

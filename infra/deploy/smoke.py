"""``make smoke``: checks that a deployed server works. One line for each step, and an exit status.

A simulated device is accepted, updated and decommissioned, through the server's public API only. The user
needs permission for all of that. Everything created is removed again; a finished deployment stays in the history.
"""

from __future__ import annotations

import ssl
import time
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from chalicelib.deviceconnect.rules import dialect, envelope
from chalicelib.deviceconnect.rules.dialect import Frame
from chalicelib.deviceconnect.rules.envelope import Message, Proto
from tests.simulator.artifacts import build_artifact
from tests.simulator.device import Device

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.sync.client import ClientConnection

Found = TypeVar("Found")

MANAGEMENT = "/api/management/v1"
DEVICES = "/api/management/v2/devauth/devices"
DEPLOYMENTS = f"{MANAGEMENT}/deployments/deployments"
ARTIFACTS = f"{MANAGEMENT}/deployments/artifacts"
DEVICE_TYPE = "smoke-test"
PATIENCE = 120.0
"""Seconds that a queue worker may take; a cold start needs a few."""


class FailedError(Exception):
    """The server did not behave as expected."""


class Smoke:
    """The steps in order; each depends on the previous ones."""

    def __init__(
        self,
        url: str,
        email: str,
        password: str,
        *,
        websocket_url: str = "",
        ca: str | None = None,
        report: Callable[[str], None] = print,
    ) -> None:
        self._login = email, password
        self._websocket_url = websocket_url
        self._tls = ssl.create_default_context(cafile=ca) if url.startswith("https") else None
        self._report = report
        self._undo: list[tuple[str, Callable[[], None]]] = []
        self._name = f"smoke-{uuid.uuid4().hex[:12]}"
        trusted: Any = self._tls or True
        self._http = httpx2.Client(base_url=url.rstrip("/"), timeout=60, verify=trusted)
        self._storage = httpx2.Client(timeout=60, verify=trusted)
        """For links, which may have any host and must not get the token."""
        self._api = httpx2.Client(base_url=url.rstrip("/"), timeout=60, verify=trusted)

    def run(self) -> bool:
        """Run the steps until one fails, then clean up; returns whether all succeeded."""
        steps = [
            ("login", self._log_in),
            ("a device requests authentication and is accepted", self._accept),
            ("inventory", self._inventory),
            ("direct upload", self._upload),
            ("the worker creates the artifact", self._completed),
            ("deployment", self._deploy),
            ("the device finds and downloads it", self._update),
            ("status", self._status),
            ("statistics", self._statistics),
        ]
        if self._websocket_url:
            steps.append(("websocket session", self._session))
        steps.append(("decommission", self._decommission))
        with ExitStack() as closing:
            for client in (self._http, self._storage, self._api):
                closing.callback(client.close)
            good = all(self._step(name, step) for name, step in steps)
            # Also after a failure, newest first, since objects may depend on older ones.
            cleaned = [self._step(f"clean up: {name}", step) for name, step in reversed(self._undo)]
        return good and all(cleaned)

    def _step(self, name: str, step: Callable[[], None]) -> bool:
        try:
            step()
        except Exception as error:  # noqa: BLE001  # whatever it is, the server does not work
            self._report(f"FAIL {name}: {str(error) or type(error).__name__}")
            return False
        self._report(f"PASS {name}")
        return True

    def _log_in(self) -> None:
        answer = self._http.post(f"{MANAGEMENT}/useradm/auth/login", auth=self._login)
        self._token = expect(answer, 200).text
        self._api.headers["Authorization"] = f"Bearer {self._token}"
        shown = expect(self._api.get(f"{MANAGEMENT}/tenantadm/user/tenant"), 200).json()
        self._device = Device(self._http, shown["tenant_token"], device_type=DEVICE_TYPE)

    def _accept(self) -> None:
        expect(self._device.auth(), 401)
        pending = until(self._pending)
        self._id = pending["id"]
        self._undo.append(("the device", self._forget_device))
        status = f"{DEVICES}/{self._id}/auth/{pending['auth_sets'][0]['id']}/status"
        expect(self._api.put(status, json={"status": "accepted"}), 204)
        expect(self._device.auth(), 200)

    def _pending(self) -> dict[str, Any] | None:
        found = expect(self._api.get(DEVICES, params={"status": "pending", "per_page": 500}), 200).json()
        return next((each for each in found if each["identity_data"] == self._device.identity), None)

    def _inventory(self) -> None:
        expect(self._device.inventory(), 200)
        shown = expect(self._api.get(f"{MANAGEMENT}/inventory/devices/{self._id}"), 200).json()
        if not any(each["value"] == DEVICE_TYPE for each in shown["attributes"]):
            raise FailedError("the inventory lacks the device's report")

    def _upload(self) -> None:
        self._bytes = build_artifact(self._name, (DEVICE_TYPE,))
        link = expect(self._api.post(f"{ARTIFACTS}/directupload"), 200).json()
        self._artifact = link["id"]
        expect(self._storage.put(link["uri"], content=self._bytes, headers=link.get("header") or {}), 200)
        expect(self._api.post(f"{ARTIFACTS}/directupload/{link['id']}/complete", json={}), 202)
        self._undo.append(("the artifact", self._forget_artifact))

    def _completed(self) -> None:
        until(lambda: self._api.get(f"{ARTIFACTS}/{self._artifact}").status_code == 200)

    def _deploy(self) -> None:
        wanted = {"name": self._name, "artifact_name": self._name, "devices": [self._id]}
        answer = expect(self._api.post(DEPLOYMENTS, json=wanted), 201)
        self._deployment = answer.headers["Location"].rpartition("/")[2]
        self._undo.append(("the deployment", self._end_deployment))

    def _update(self) -> None:
        found = expect(self._device.poll(), 200).json()
        if found["id"] != self._deployment:
            raise FailedError(f"the device is given {found['id']}")
        content = expect(self._storage.get(found["artifact"]["source"]["uri"]), 200).content
        if content != self._bytes:
            raise FailedError("the downloaded file differs from the uploaded one")

    def _status(self) -> None:
        for status in ("downloading", "installing", "rebooting", "success"):
            expect(self._device.report(self._deployment, status), 204)
        self._device.artifact_name = self._name
        expect(self._device.poll(), 204)

    def _statistics(self) -> None:
        counts = expect(self._api.get(f"{DEPLOYMENTS}/{self._deployment}/statistics"), 200).json()
        if {status: count for status, count in counts.items() if count} != {"success": 1}:
            raise FailedError(f"the counters say {counts}")

    def _session(self) -> None:
        # The device first: users can only connect to a connected device.
        with (
            self._opened("", str(self._device.token)) as device,
            self._opened(f"?device_id={self._id}", self._token) as user,
        ):
            user.send(dialect.to_server(Frame(envelope.encode(Message(Proto.SHELL, "new")), 1)))
            asked = heard(device, "new")
            reply = Message(Proto.SHELL, "shell", asked.sid, {"status": 1}, b"smoke")
            device.send(dialect.to_server(Frame(envelope.encode(reply), 1)))
            if heard(user, "shell").body != b"smoke":
                raise FailedError("the user receives something else than the device sent")

    def _opened(self, query: str, token: str) -> ClientConnection:
        from websockets.sync.client import connect

        headers = {"Authorization": f"Bearer {token}"}
        tls = self._tls if self._websocket_url.startswith("wss") else None
        return connect(
            self._websocket_url + query, additional_headers=headers, ssl=tls, open_timeout=PATIENCE, proxy=None
        )

    def _decommission(self) -> None:
        expect(self._api.delete(f"{DEVICES}/{self._id}"), 204)
        expect(self._device.poll(), 401)
        # The worker deletes the data of the other features.
        until(lambda: self._api.get(f"{MANAGEMENT}/inventory/devices/{self._id}").status_code == 404)

    def _forget_device(self) -> None:
        expect(self._api.delete(f"{DEVICES}/{self._id}"), 204, 404)
        until(lambda: self._api.get(f"{DEVICES}/{self._id}").status_code == 404)

    def _forget_artifact(self) -> None:
        expect(self._api.delete(f"{ARTIFACTS}/{self._artifact}"), 204, 404)

    def _end_deployment(self) -> None:
        # 422: it has finished, as expected.
        expect(self._api.put(f"{DEPLOYMENTS}/{self._deployment}/status", json={"status": "aborted"}), 204, 422)


def expect(answer: httpx2.Response, *statuses: int) -> httpx2.Response:
    """The answer, which must have one of these statuses."""
    if answer.status_code not in statuses:
        wanted = " or ".join(map(str, statuses))
        where = f"{answer.request.method} {answer.request.url.path}"
        raise FailedError(f"{where} answered {answer.status_code} instead of {wanted}: {answer.text[:200]}")
    return answer


def until(look: Callable[[], Found | None]) -> Found:
    """Wait until ``look`` finds something, and return that."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > deadline:
            raise FailedError(f"no result after {PATIENCE:.0f} s")
        time.sleep(0.5)
    return found


def heard(link: ClientConnection, typ: str) -> Message:
    """The first message of a type; others may come before it."""
    while True:
        text = link.recv(PATIENCE)
        message = envelope.decode(dialect.from_server(str(text)).data)
        if message.typ == typ:
            return message

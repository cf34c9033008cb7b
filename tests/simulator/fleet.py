"""Many simulated devices in one process, each of which makes the calls of a Mender client in the same order.

A :class:`Fleet` records in a :class:`Tally` what every device reported and the server accepted. At the end the server's
statistics have to equal it exactly. Answers that a client should never get are problems; a run with problems fails.

Each device has its own random numbers from the fleet's seed, so the same devices fail in every run, in any order.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.simulator.client import Answer, Client, ConnectionLostError, Sink
from tests.simulator.device import AUTH_REQUESTS, PrivateKey, Signer
from tests.simulator.records import Behaviour, Payload, Tally

INVENTORY = "/api/devices/v1/inventory/device/attributes"
NEXT = "/api/devices/v2/deployments/device/deployments/next"
REPORTS = "/api/devices/v1/deployments/device/deployments"

DEVICE_TYPE = "simulated"

RSA_KEYS = 20
"""Maximum devices with RSA keys in a fleet: generating one takes as long as updating several devices."""

UPDATE_ERROR = "Update module terminated abnormally: exit status 1"

UPDATES_AT_ONCE = 10
"""Maximum updates that a device gets in a row; more are taken for an endless repetition of the same one."""


class DeploymentAborted(Exception):  # an outcome, not an error
    """A report was answered with 409: the deployment was aborted, and the device stops."""


class Unexpected(Exception):  # recorded in the tally
    """The device got an unexpected answer, and gives up this round."""


class SimulatedDevice(Signer):
    """One device of a fleet, with a client of version 3.4."""

    client_version = "3.4.0"

    def __init__(self, fleet: Fleet, name: str, key: PrivateKey, rng: random.Random) -> None:
        self.identity = {"mac": uuid.uuid4().hex}
        self.key = key
        self.tenant_token = fleet.tenant_token
        self.name = name
        self.device_type = fleet.device_type
        self.artifact_name = "original"
        self.id = ""
        """The id that the server assigned; known from the first token on."""
        self.state = "new"
        """Its present activity, for display."""
        self._fleet = fleet
        self._rng = rng
        self._body = self.auth_body()

    @property
    def kind(self) -> str:
        """The kind of its key."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return "RSA"
        return "EC" if isinstance(self.key, ec.EllipticCurvePrivateKey) else "Ed25519"

    async def first_request(self) -> None:
        """Request a token for the first time, which makes the device pending."""
        answer = await self._auth()
        if answer.status != 401:
            raise self._unexpected("auth", answer)
        self.state = "pending"

    async def connect(self) -> None:
        """Get a token, being accepted, and report the inventory."""
        await self.authorize()
        await self.report_inventory()
        self.state = "idle"

    async def authorize(self) -> None:
        """Get a token."""
        answer = await self._auth()
        if answer.status != 200:
            raise self._unexpected("auth", answer)
        self.token = answer.body.decode()
        self.id = str(self.claims["sub"])

    async def check(self) -> None:
        """Poll for updates and install them until there are none."""
        await self._sleep(self._fleet.behaviour.spread * self._rng.random())
        for _ in range(UPDATES_AT_ONCE):
            instructions = await self.poll()
            if instructions is None:
                return
            await self._update(instructions)
        self._fleet.tally.problem("next", "repeats the same update endlessly")

    async def poll(self) -> dict[str, Any] | None:
        """Poll for an update once."""
        answer = await self._call("next", "POST", NEXT, self.poll_body())
        if answer.status == 204:
            return None
        if answer.status != 200:
            raise self._unexpected("next", answer)
        instructions: dict[str, Any] = json.loads(answer.body)
        return instructions

    def poll_body(self) -> dict[str, Any]:
        """The body of a poll."""
        provides = {
            "device_type": self.device_type,
            "artifact_name": self.artifact_name,
            "rootfs-image.checksum": "46ca895be3a18fb50c1c6b5a3bd2e97fb637b35a22924c2f3dea3cf09e9e2e74",
        }
        return {"device_provides": provides, "update_control_map": True}

    def inventory(self) -> dict[str, str | list[str]]:
        """All attributes of the device."""
        return {
            "artifact_name": self.artifact_name,
            "cpu_model": "Simulated core",
            "device_type": self.device_type,
            "hostname": self.name,
            "ipv4_bridge": ["10.0.0.1/24", "192.168.7.1/16"],
            "kernel": "Linux version 6.6.32",
            "mac_eth0": self.identity["mac"],
            "mem_total_kB": "1025532",
            "mender_client_version": self.client_version,
            "network_interfaces": ["eth0", "lo"],
            "os": "Simulated OS 1.0",
            "rootfs_type": "ext4",
        }

    async def report_inventory(self) -> None:
        """Report all attributes, in random order, as clients do."""
        document = [{"name": name, "value": value} for name, value in self.inventory().items()]
        self._rng.shuffle(document)
        answer = await self._call("inventory", "PUT", INVENTORY, document)
        if answer.status != 200:
            raise self._unexpected("inventory", answer)

    async def _update(self, instructions: dict[str, Any]) -> None:
        deployment, artifact = instructions["id"], instructions["artifact"]
        # Drawn before anything can fail, so that it is the same in every run.
        error = self._draw_error(artifact["artifact_name"])
        self._fleet.tally.note(deployment, self.id, "pending")
        name = self.artifact_name
        try:
            await self._report(deployment, "downloading")
            await self._download(deployment, artifact)
            # Clients report it again in each of their states.
            await self._report(deployment, "downloading")
            await self._report(deployment, "downloading")
            await self._report(deployment, "installing")
            await self._pause()
            if error is not None:
                await self._fail(deployment, error)
                return
            # A client checks that the new software reaches the server before it commits.
            await self.authorize()
            await self._report(deployment, "installing")
            self.artifact_name = artifact["artifact_name"]
            await self._report(deployment, "success")
        except DeploymentAborted:
            await self._roll_back(deployment, name)
        self.state = "idle"
        if self.artifact_name != name:
            await self.report_inventory()

    def _draw_error(self, release: str) -> str | None:
        """The error with which an update fails; None: it succeeds."""
        fails = self._rng.random() < self._fleet.behaviour.fail
        if release in self._fleet.errors:
            return next(self._fleet.errors[release])
        return UPDATE_ERROR if fails else None

    async def _fail(self, deployment: str, error: str) -> None:
        await self._report(deployment, "failure")
        now = datetime.now(UTC).isoformat()
        lines = (("info", "Installing the update"), ("error", error), ("info", "Rolling back"))
        messages = [{"timestamp": now, "level": level, "message": line} for level, line in lines]
        await self._send_log(deployment, json.dumps({"messages": messages}).encode())
        self.state = "idle"

    async def _send_log(self, deployment: str, body: bytes) -> None:
        answer = await self._call("log", "PUT", f"{REPORTS}/{deployment}/log", body)
        if answer.status != 204:
            raise self._unexpected("log", answer)

    async def _roll_back(self, deployment: str, name: str) -> None:
        """After a refused report, clients report `failure`, and ignore another refusal."""
        if self.artifact_name != name:
            return  # `success` was refused: the installed software is kept
        try:
            await self._report(deployment, "failure")
        except DeploymentAborted:
            return
        self._fleet.tally.problem("status", "accepted from a device whose deployment was aborted")

    async def _report(self, deployment: str, status: str) -> None:
        """Report a status.

        Raises:
            DeploymentAborted: the deployment was aborted.
        """
        self.state = status
        answer = await self._call("status", "PUT", f"{REPORTS}/{deployment}/status", {"status": status})
        if answer.status == 204:
            self._fleet.tally.note(deployment, self.id, status)
        elif answer.status == 409 and deployment in self._fleet.tally.aborted:
            raise DeploymentAborted
        else:
            raise self._unexpected("status", answer)

    async def _download(self, deployment: str, artifact: dict[str, Any]) -> None:
        """Download an artifact by its link, without a token, and check the bytes."""
        tally, link = self._fleet.tally, artifact["source"]["uri"]
        wanted = self._fleet.payloads.get(artifact["artifact_name"])
        digest, size = hashlib.sha256(), 0

        def take(part: bytes) -> None:
            nonlocal size
            digest.update(part)
            size += len(part)

        cut = self._rng.random() < self._fleet.behaviour.resume
        stop = wanted.size // 2 if cut and wanted else None
        answer = await self._send("download", "GET", link, sink=take, stop_after=stop)
        if answer.status != 200:
            raise self._unexpected("download", answer)
        if stop is not None:
            await self._resume(link, size, int(answer.headers["content-length"]), take)
        await self._pause()
        tally.bytes += size
        tally.downloads[deployment, self.id] += 1
        if wanted and (size, digest.hexdigest()) != (wanted.size, wanted.sha256):
            tally.problem("download", "different bytes from the upload", f"{size} bytes of {wanted.size}")
            raise Unexpected

    async def _resume(self, link: str, got: int, total: int, take: Sink) -> None:
        """Download the rest of an artifact of ``total`` bytes after the first ``got``."""
        answer = await self._send("download", "GET", link, {"Range": f"bytes={got}-"}, sink=take)
        if answer.status != 206:
            raise self._unexpected("download", answer)

    async def _auth(self) -> Answer:
        headers = {"Content-Type": "application/json", "X-MEN-Signature": self.sign(self._body)}
        headers["Authorization"] = f"Bearer {self.tenant_token}"
        return await self._send("auth", "POST", AUTH_REQUESTS, headers, self._body)

    async def _call(self, call: str, method: str, path: str, document: object) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return await self._send(call, method, path, headers, body)

    async def _send(self, call: str, *arguments: Any, **more: Any) -> Answer:
        self._fleet.tally.requests[call] += 1
        try:
            return await self._fleet.client.send(*arguments, **more)
        except ConnectionLostError as error:
            self._fleet.tally.problem(call, "no answer", str(error))
            raise Unexpected from error

    def _unexpected(self, call: str, answer: Answer) -> Unexpected:
        self._fleet.tally.problem(call, answer.status, answer.body.decode(errors="replace"))
        self.state = "gave up"
        return Unexpected()

    async def _pause(self) -> None:
        if pace := self._fleet.behaviour.pace:
            await self._sleep(self._rng.uniform(0.4, 1.6) * pace)

    @staticmethod
    async def _sleep(seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds)


class Fleet:
    """Devices that share a client, a behaviour and a tally.

    ``payloads`` are the expected payloads by artifact name, with which downloads are compared. ``clients`` are the
    classes of devices, used in turn. ``wait`` waits some seconds before a client repeats a failed call.
    """

    def __init__(
        self,
        client: Client,
        size: int,
        *,
        tenant_token: str = "",
        behaviour: Behaviour | None = None,
        device_type: str = DEVICE_TYPE,
        seed: int = 1,
        clients: Sequence[type[SimulatedDevice]] = (SimulatedDevice,),
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.client = client
        self.tenant_token = tenant_token
        self.behaviour = behaviour or Behaviour()
        self.device_type = device_type
        self.tally = Tally()
        self.payloads: dict[str, Payload] = {}
        self.errors: dict[str, Iterator[str | None]] = {}
        """By artifact name: the error of each of its updates, None for one that succeeds; instead of ``behaviour``."""
        self.wait = wait
        keys = _keys(size, random.Random(seed))
        self.devices = [
            make(self, f"simulated-{number:05}", key, random.Random(f"{seed}/{number}"))
            for number, (key, make) in enumerate(zip(keys, cycle(clients), strict=False))
        ]

    @property
    def ids(self) -> list[str]:
        """The ids of the devices that have one."""
        return [device.id for device in self.devices if device.id]

    @property
    def identities(self) -> list[str]:
        """The identity data of the devices, by which an operator recognizes them."""
        return [json.dumps(device.identity, sort_keys=True) for device in self.devices]

    async def each(self, step: Callable[[SimulatedDevice], Coroutine[Any, Any, None]]) -> None:
        """All devices take a step; one that gets an unexpected answer gives up, and the tally says why."""
        await self._all(map(step, self.devices))

    async def first_request(self) -> None:
        """All devices make their first auth request."""
        await self._all(device.first_request() for device in self.devices)

    async def connect(self) -> None:
        """All devices, accepted by now, get tokens and report their inventory."""
        await self._all(device.connect() for device in self.devices)

    async def check(self) -> None:
        """One round: all devices poll for updates and install them until there are none."""
        await self._all(device.check() for device in self.devices)

    def states(self) -> Counter[str]:
        """The number of devices in each state."""
        return Counter(device.state for device in self.devices)

    async def _all(self, steps: Iterable[Coroutine[Any, Any, None]]) -> None:
        await asyncio.gather(*map(_until_unexpected, steps))


async def _until_unexpected(step: Coroutine[Any, Any, None]) -> None:
    try:
        await step
    except Unexpected:
        return  # already recorded in the tally


def _keys(size: int, rng: random.Random) -> list[PrivateKey]:
    """Keys of all kinds that devices use."""
    keys: list[PrivateKey] = []
    spare = RSA_KEYS
    for _ in range(size):
        kind = rng.choices(("ed25519", "ec", "rsa"), (5, 4, 1))[0]
        if kind == "rsa" and spare:
            spare -= 1
            keys.append(rsa.generate_private_key(65537, 2048))
        elif kind == "ec":
            keys.append(ec.generate_private_key(ec.SECP256R1()))
        else:
            keys.append(ed25519.Ed25519PrivateKey.generate())
    return keys

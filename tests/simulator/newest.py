"""A simulated device with a client of version 5: its differences, and the points at which it aborts.

Unlike :class:`~tests.simulator.fleet.SimulatedDevice`, this client

- has an Ed25519 key, says ``Authorization: API_KEY`` in auth requests, and makes two of them while it waits,
- asks for updates without ``update_control_map``,
- reports its inventory after the first answer "no update", after each update and after each new token; otherwise only
  when it changed,
- resumes a download after a minute with a closed range,
- asks for a new token after a 401, and then repeats the call,
- waits as ``Retry-After`` says after a 429, but waits its own time after a 503; goes on without waiting when
  ``downloading`` or ``installing`` could not be reported,
- counts the length of its log before the log is complete, if the fleet's :class:`Behaviour` says so.

Like the real client, it fails on a 401 or 429 with a body in certain calls; each is a problem in the fleet's tally.
"""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.simulator.device import AUTH_REQUESTS
from tests.simulator.fleet import REPORTS, Fleet, SimulatedDevice, Unexpected

if TYPE_CHECKING:
    from tests.simulator.client import Answer, Sink
    from tests.simulator.device import PrivateKey

POLL_INTERVAL = 30.0
"""Seconds until a refused poll or inventory report is repeated; configurable on real devices."""
REPEAT = 60.0
"""Seconds until a final status, a log or an interrupted download is repeated."""
ATTEMPTS = 10
"""Maximum attempts of a call or a download."""
BUSY = (429, 503)
"""The statuses of a busy server."""
IGNORABLE = ("downloading", "installing")
"""Statuses after which the client continues even if they could not be reported."""


class Aborted(Unexpected):
    """The client's process ended, and does not come back in this run."""


class NotReported(Exception):  # an outcome, not an error
    """A busy server refused a status that the client does not report again."""


class NewestDevice(SimulatedDevice):
    """One device of a fleet, with a client of version 5."""

    client_version = "5.1.0"

    def __init__(self, fleet: Fleet, name: str, key: PrivateKey, rng: random.Random) -> None:
        own = key if isinstance(key, ed25519.Ed25519PrivateKey) else ed25519.Ed25519PrivateKey.generate()
        super().__init__(fleet, name, own, rng)
        self._reported_inventory = ""
        """Hash of the last inventory that the server accepted; empty if the next one must be sent in any case."""

    async def first_request(self) -> None:
        """Request a token for the first time, which makes the device pending; each attempt makes two requests."""
        await super().first_request()
        await super().first_request()

    async def connect(self) -> None:
        """Get a token, being accepted; the inventory follows the first poll."""
        self._require_running()
        await self.authorize()
        self.state = "idle"

    async def authorize(self) -> None:
        """Get a token; the inventory is then reported again."""
        await super().authorize()
        self._reported_inventory = ""

    async def check(self) -> None:
        """Poll and install like all devices; then report the inventory if it changed."""
        self._require_running()
        await super().check()
        await self.report_inventory()

    async def report_inventory(self) -> None:
        """Report all attributes unless nothing changed."""
        content = json.dumps(self.inventory(), sort_keys=True).encode()
        digest = hashlib.sha256(content).hexdigest()
        if digest != self._reported_inventory:
            await super().report_inventory()
            self._reported_inventory = digest

    def poll_body(self) -> dict[str, Any]:
        """The body of a poll."""
        return {"device_provides": super().poll_body()["device_provides"]}

    async def _update(self, instructions: dict[str, Any]) -> None:
        self._reported_inventory = ""
        await super()._update(instructions)

    async def _report(self, deployment: str, status: str) -> None:
        try:
            await super()._report(deployment, status)
        except NotReported:
            return

    async def _send_log(self, deployment: str, body: bytes) -> None:
        """Send a log. If it is refused, ``failure`` and the whole log are sent again, a minute later."""
        sent = body
        if self._rng.random() < self._fleet.behaviour.cut_logs:
            sent = body[: self._rng.randrange(len(body) * 2 // 3, len(body) - 2)]
        for attempt in range(ATTEMPTS):
            answer = await self._call("log", "PUT", f"{REPORTS}/{deployment}/log", sent)
            if answer.status == 204:
                return
            if attempt == ATTEMPTS - 1:
                raise self._unexpected("log", answer)
            self._fleet.tally.problem("log", answer.status, answer.body.decode(errors="replace"))
            await self._fleet.wait(REPEAT)
            await self._report(deployment, "failure")
            sent = body

    async def _resume(self, link: str, got: int, total: int, take: Sink) -> None:
        await self._fleet.wait(REPEAT)
        answer = await self._send("download", "GET", link, {"Range": f"bytes={got}-{total - 1}"}, sink=take)
        if answer.status != 206 or answer.headers.get("content-range") != f"bytes {got}-{total - 1}/{total}":
            raise self._unexpected("download", answer)

    async def _auth(self) -> Answer:
        headers = {"Content-Type": "application/json", "Authorization": "API_KEY"}
        headers["X-MEN-Signature"] = self.sign(self._body)
        tries = 1
        while (answer := await self._send("auth", "POST", AUTH_REQUESTS, headers, self._body)).status in BUSY:
            if tries == ATTEMPTS:
                break
            tries += 1
            await self._fleet.wait(POLL_INTERVAL)
        return answer

    async def _call(self, call: str, method: str, path: str, document: object) -> Answer:
        """Call with the token; repeat with a new token after a 401, and when a busy server refused."""
        tries = 1
        while (answer := await super()._call(call, method, path, document)).status in (401, *BUSY):
            self._refuse_unexpected_body(call, answer)
            if tries == ATTEMPTS:
                break
            tries += 1
            if answer.status == 401:
                await self.authorize()
            elif call == "status" and isinstance(document, dict) and document["status"] in IGNORABLE:
                raise NotReported
            else:
                await self._fleet.wait(self._pause_after(call, answer))
        return answer

    def _require_running(self) -> None:
        if self.state == "aborted":
            raise Aborted

    def _pause_after(self, call: str, answer: Answer) -> float:
        """Seconds to wait before repeating a call that was refused with 429 or 503."""
        said = answer.headers.get("retry-after")
        if answer.status == 429 and said is not None and call != "log":
            return float(said)
        return POLL_INTERVAL if call in ("next", "inventory") else REPEAT

    def _refuse_unexpected_body(self, call: str, answer: Answer) -> None:
        """Fail like the client on an answer with a body that it does not expect.

        Raises:
            Aborted: the client's process ends: at a poll, or while it sends a log.
            Unexpected: the client gives up this update.
        """
        if answer.status not in (401, 429) or not answer.body:
            return
        self._fleet.tally.problem(call, f"{answer.status} with a body", answer.body.decode(errors="replace"))
        if answer.status == 401 and call in ("next", "log"):
            self.state = "aborted"
            raise Aborted
        self.state = "gave up"
        raise Unexpected


CLIENTS = (SimulatedDevice, NewestDevice)
"""A fleet of both clients."""

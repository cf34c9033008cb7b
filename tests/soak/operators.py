"""The operators of a soak who release: they upload, deploy, abort, and deploy again where it failed.

Each has random numbers of its own from the seed. A call without an answer is repeated; what cannot simply be repeated,
such as creating a deployment, is looked up by its name first.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tests.simulator.artifacts import build_artifact
from tests.simulator.client import Answer, ConnectionLostError
from tests.simulator.management import ARTIFACTS, DEPLOYMENTS, Operator
from tests.simulator.records import Payload
from tests.soak.devices import PATIENCE, PAUSE, SITES, TYPES, SoakDevice
from tests.soak.records import ACKNOWLEDGED, UNKNOWN, Deployment, Ledger

INVENTORY = "/api/management/v1/inventory"
FILTERS = "/api/management/v2/inventory/filters"
INTEGRATIONS = "/api/management/v1/iot-manager/integrations"
SETTINGS = "/api/management/v2/tenantadm/settings"
GROUPS = ("canary", "field")
OPEN_AT_ONCE = 5
"""Unfinished deployments above which no further ones are created: devices take them one after the other."""
SIZE = 20_000
"""Bytes of an artifact's content, at most."""

T = TypeVar("T")


class OperatorFailedError(Exception):
    """An operator's call got an answer that it must not get; it is recorded."""


@dataclass
class Setup:
    """What operators of a run share."""

    ledger: Ledger
    devices: list[SoakDevice]
    """All devices, also decommissioned ones."""
    groups: dict[str, set[str]]
    """For each device, the groups that it may be in: one, unless a call is still unanswered. Empty text: none."""
    filters: dict[str, str]
    """The saved filter of each site."""
    add: Callable[[], SoakDevice]
    """Makes a further device, which does not live yet."""
    live: Callable[[SoakDevice], None]

    def present(self) -> list[SoakDevice]:
        """The devices that are accepted and not decommissioned."""
        return [each for each in self.devices if each.id and each.id not in self.ledger.decommissioned]


class SoakOperator(Operator):
    """Calls that are recorded, and repeated until they are answered."""

    ledger: Ledger
    name = "operator"

    async def call(self, method: str, path: str, document: object = None, *, kind: str) -> Answer:
        """Make a call until it is answered by anything but an error of the server."""
        return await self._until_answered(kind, f"{method} {path}", lambda: self._call(method, path, document))

    async def once(self, method: str, path: str, document: object = None, *, kind: str) -> Answer | None:
        """Make a call once; None if it had no answer, or one of a server in trouble."""
        return await self._recorded(kind, f"{method} {path}", lambda: self._call(method, path, document))

    async def read(self, path: str, *, kind: str) -> Any:
        """The document at a path."""
        answer = await self.call("GET", path, kind=kind)
        return json.loads(self.expect(answer, 200, path).body)

    async def sign_in(self, user: str, password: str) -> None:
        """Get a token."""

        async def log_in() -> Answer:
            await self.login(user, password)
            return Answer(200, {}, b"")

        await self._until_answered("login", "POST login", log_in)

    def expect(self, answer: Answer, status: int, what: str) -> Answer:
        """The answer, if it has this status.

        Raises:
            OperatorFailedError: it has another one, which is recorded.
        """
        if answer.status != status:
            text = answer.body[:300].decode(errors="replace")
            self.ledger.problem(f"{what}: {answer.status} instead of {status}: {text}", self.name)
            raise OperatorFailedError(what)
        return answer

    async def _until_answered(self, kind: str, what: str, send: Callable[[], Awaitable[Answer]]) -> Answer:
        end, pause = self.ledger.now + PATIENCE, PAUSE
        while True:
            answer = await self._recorded(kind, what, send)
            if answer is not None:
                return answer
            if self.ledger.now > end:
                self.ledger.problem(f"no answer within {PATIENCE:.0f} s to {what}", self.name)
                raise OperatorFailedError(what)
            await asyncio.sleep(pause)
            pause = min(2.0, pause * 1.5)

    async def _recorded(self, kind: str, what: str, send: Callable[[], Awaitable[Answer]]) -> Answer | None:
        try:
            answer = await send()
        except ConnectionLostError:
            self.ledger.called(self.name, kind, "none", what)
            return None
        self.ledger.called(self.name, kind, f"{answer.status // 100}xx", f"{what} {answer.status}")
        return answer if answer.status < 500 and answer.status != 429 else None

    async def put_artifact(self, artifact: bytes) -> None:
        """Upload an artifact. A repetition after a lost answer is refused as a conflict, if the first was stored."""
        repeated = False

        async def send() -> Answer:
            nonlocal repeated
            try:
                await self.upload(artifact)
            except Exception as error:
                if repeated and ": 409 " in str(error):
                    return Answer(201, {}, b"")
                repeated = True
                if any(f": {status} " in str(error) for status in (500, 502, 503, 504)):
                    return Answer(503, {}, b"")
                raise
            return Answer(201, {}, b"")

        await self._until_answered("upload", f"POST {ARTIFACTS}", send)


class Releasing(SoakOperator):
    """Uploads releases, and creates and aborts deployments."""

    name = "releasing operator"

    def begin(self, setup: Setup, rng: random.Random) -> None:
        """Set up."""
        self.ledger, self._setup, self._rng, self._number = setup.ledger, setup, rng, 0

    async def act(self) -> None:
        """Do one thing."""
        if len(self.ledger.uploads) < 2 or self._rng.random() < 0.12:
            await self._release()
            return
        action = self._rng.choices(
            (self._deploy, self._abort, self._withdraw, self._again, self._look), (5, 1, 0.5, 1, 3)
        )[0]
        await action()

    async def finish(self) -> None:
        """Abort what does not finish by itself: deployments to the devices that match a filter."""
        opened = {each["id"] for each in await self.opened()}
        for deployment in self.ledger.deployments.values():
            if deployment.targets is None and deployment.id in opened:
                await self._abort_one(deployment)

    async def _release(self) -> None:
        name = f"release-{len(self.ledger.uploads) + 1}"
        uploads: dict[str, Payload] = {}
        for kind in TYPES:
            content = self._rng.randbytes(self._rng.randint(100, SIZE))
            artifact = build_artifact(name, [kind], content, compression="none")
            await self.put_artifact(artifact)
            uploads[kind] = Payload.of(artifact)
        self.ledger.uploads[name] = uploads

    async def opened(self) -> list[dict[str, Any]]:
        """The unfinished deployments."""
        found: list[dict[str, Any]] = []
        for status in ("scheduled", "pending", "inprogress"):
            path = f"{DEPLOYMENTS}?status={status}&per_page=100"
            found += await self.read(path, kind="list deployments")
        return found

    async def _deploy(self) -> None:
        if len(await self.opened()) >= OPEN_AT_ONCE:
            await self._abort_oldest_dynamic()
            return
        present = [each.id for each in self._setup.present()]
        how = self._rng.choice((self._to_all, self._to_group, self._to_few, self._in_phases, self._to_matching))
        await how(present)

    async def _abort_oldest_dynamic(self) -> None:
        for deployment in self.ledger.deployments.values():
            if deployment.targets is None and not deployment.abort:
                await self._abort_one(deployment)
                return

    async def _to_all(self, _: list[str]) -> None:
        await self._create("all", DEPLOYMENTS, self._everybody, {"all_devices": True})

    async def _to_group(self, _: list[str]) -> None:
        group = self._rng.choice(GROUPS)
        await self._create("group", f"{DEPLOYMENTS}/group/{group}", lambda: self._members(group), {})

    def _everybody(self) -> frozenset[str]:
        return frozenset(each.id for each in self._setup.present())

    def _members(self, group: str) -> frozenset[str]:
        return frozenset(device for device, groups in self._setup.groups.items() if group in groups)

    async def _to_few(self, present: list[str]) -> None:
        some = self._rng.sample(present, min(len(present), self._rng.randint(1, 8)))
        await self._create("few", DEPLOYMENTS, lambda: frozenset(some), {"devices": some})

    async def _in_phases(self, present: list[str]) -> None:
        now = datetime.now(UTC)
        starts = [now + timedelta(seconds=self._rng.uniform(1, 4) + index * 6) for index in range(3)]
        phases: list[dict[str, Any]] = [{"start_ts": start.isoformat()} for start in starts]
        for phase, share in zip(phases, (20, 30), strict=False):
            phase["batch_size"] = share
        more = {"devices": present, "phases": phases}
        await self._create("phases", DEPLOYMENTS, lambda: frozenset(present), more)

    async def _to_matching(self, _: list[str]) -> None:
        site = self._rng.choice(SITES)
        path = DEPLOYMENTS.replace("/v1/", "/v2/")
        await self._create("filter", path, None, {"filter_id": self._setup.filters[site]}, site=site)

    async def _again(self) -> None:
        """Deploy once more to the devices that failed in a finished deployment."""
        done = [each for each in self.ledger.deployments.values() if each.targets is not None]
        if not done or len(await self.opened()) >= OPEN_AT_ONCE:
            return
        chosen = self._rng.choice(done[-10:])
        rows = await self.read(f"{DEPLOYMENTS}/{chosen.id}/devices", kind="list devices of a deployment")
        failed = sorted(row["id"] for row in rows if row["status"] == "failure")
        present = {each.id for each in self._setup.present()}
        failed = [each for each in failed if each in present]
        if failed:
            devices = {"devices": failed}
            await self._create("again", DEPLOYMENTS, lambda: frozenset(failed), devices, release=chosen.release)

    async def _create(
        self,
        how: str,
        path: str,
        targets: Callable[[], frozenset[str]] | None,
        body: dict[str, Any],
        *,
        site: str = "",
        release: str = "",
    ) -> None:
        self._number += 1
        name = f"{how} {self._number:05}"
        retries = self._rng.choice((0, 0, 1, 2))
        release = release or self._rng.choice(list(self.ledger.uploads)[-4:])
        document = {"name": name, "artifact_name": release, "retries": retries, **body}
        # Devices may join, or change their groups, during the call.
        before = targets() if targets else frozenset()
        found = await self._created(path, document, name)
        if found:
            all_ = before | targets() if targets else None
            self.ledger.deployments[found] = Deployment(
                found, name, release, how, targets=all_, site=site, retries=retries
            )

    async def _created(self, path: str, document: dict[str, Any], name: str) -> str:
        """Create a deployment, once; returns its id."""
        end = self.ledger.now + PATIENCE
        while self.ledger.now < end:
            answer = await self.once("POST", path, document, kind="create deployment")
            if answer is not None:
                if answer.status == 400:
                    return ""  # the last device of the group has just been decommissioned
                self.expect(answer, 201, f"creating deployment {name}")
                return answer.headers["location"].rsplit("/", 1)[-1]
            # It may have been created all the same.
            path_ = f"{DEPLOYMENTS}?search={name.replace(' ', '%20')}&per_page=100"
            listed = await self.read(path_, kind="list deployments")
            for each in listed:
                if each["name"] == name:
                    return str(each["id"])
        self.ledger.problem(f"deployment {name} could not be created", self.name)
        return ""

    async def _abort(self) -> None:
        opened = {each["id"] for each in await self.opened()}
        known = [each for each in self.ledger.deployments.values() if each.id in opened and not each.abort]
        if known:
            await self._abort_one(self._rng.choice(known))

    async def _abort_one(self, deployment: Deployment) -> None:
        path = f"{DEPLOYMENTS}/{deployment.id}/status"
        before = deployment.abort
        deployment.abort = UNKNOWN
        answer = await self.once("PUT", path, {"status": "aborted"}, kind="abort deployment")
        repeated = answer is None
        if answer is None:
            answer = await self.call("PUT", path, {"status": "aborted"}, kind="abort deployment")
        if answer.status == 422:
            # It has finished: by itself, or by the first of the repeated calls.
            deployment.abort = UNKNOWN if repeated else before
            return
        self.expect(answer, 204, f"aborting {deployment.name}")
        deployment.abort = ACKNOWLEDGED

    async def _withdraw(self) -> None:
        """Take a device out of its deployments."""
        present = self._setup.present()
        if not present:
            return
        device = self._rng.choice(present)
        for deployment in self.ledger.deployments.values():
            deployment.withdrawn.add(device.id)
        answer = await self.call("DELETE", f"{DEPLOYMENTS}/devices/{device.id}", kind="withdraw device")
        self.expect(answer, 204, "taking a device out of its deployments")

    async def _look(self) -> None:
        """Read what the console reads."""
        listed = await self.opened()
        for each in listed[:2]:
            for part in ("", "/statistics", "/devices"):
                await self.read(f"{DEPLOYMENTS}/{each['id']}{part}", kind="read deployment")
        await self.read("/api/management/v1/auditlogs/logs?per_page=50", kind="read audit log")

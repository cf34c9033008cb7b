"""Compares the records of devices and operators with the server's, through its API, when everything is at rest."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from infra.paths import ROOT
from tests.simulator.client import Client
from tests.simulator.management import ARTIFACTS, DEPLOYMENTS, DEVICES
from tests.soak.devices import SITES, TYPES, SoakDevice
from tests.soak.keeping import Keeping
from tests.soak.operators import INVENTORY, Setup
from tests.soak.records import ACKNOWLEDGED, FINAL, Deployment, Disagreement
from tests.support.receivers import Listener, Received

UNASKED = frozenset({"noartifact", "already-installed"})
"""Statuses of devices that never got an instruction."""


@dataclass
class Result:
    """The result of a comparison, by the name of what was compared."""

    compared: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    disagreements: list[Disagreement] = field(default_factory=list)

    def note(self, name: str, what: str, who: str = "", *, right: bool) -> None:
        """Record one comparison."""
        self.compared[name] += 1
        if not right:
            self.wrong[name] += 1
            self.disagreements.append(Disagreement(f"{name}: {what}", who))


class Comparison:
    """All comparisons through the API."""

    def __init__(self, setup: Setup, operator: Keeping, client: Client, data: Path) -> None:
        self._setup, self._ledger, self._operator, self._client = setup, setup.ledger, operator, client
        self._data = data
        self._named = {each.id: each.name for each in setup.devices if each.id}
        self.result = Result()

    async def run(self, hook: Listener | None = None) -> Result:
        """Compare everything; ``hook`` has received the events."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for deployment in self._ledger.deployments.values():
            path = f"{DEPLOYMENTS}/{deployment.id}/devices"
            rows[deployment.id] = await self._operator.read(path, kind="compare")
            await self._deployment(deployment, rows[deployment.id])
        self._instructions()
        await self._logs()
        await self._uploads()
        for device in self._setup.devices:
            if device.id:
                await self._device(device)
        await self._searches()
        await self._audit()
        if hook is not None:
            self._events(hook.received, rows)
        for problem in self._ledger.problems:
            self.result.note("calls as they should be", problem.what, problem.who, right=False)
        self.result.compared["calls as they should be"] = self._ledger.calls.total()
        return self.result

    async def _deployment(self, deployment: Deployment, rows: list[dict[str, Any]]) -> None:
        note, said = self.result.note, f"deployment {deployment.id} ({deployment.name})"
        shown = await self._operator.read(f"{DEPLOYMENTS}/{deployment.id}", kind="compare")
        note("deployments are finished", f"{said} is {shown['status']}", right=shown["status"] == "finished")
        numbers = await self._operator.read(f"{DEPLOYMENTS}/{deployment.id}/statistics", kind="compare")
        counted = Counter(row["status"] for row in rows)
        shown_numbers = {status: count for status, count in numbers.items() if count}
        note(
            "statistics equal the devices",
            f"{said}: {shown_numbers}, devices: {dict(counted)}",
            right=shown_numbers == dict(counted),
        )
        ids = Counter(row["id"] for row in rows)
        for id, times in ids.items():
            note("a device is in a deployment once", f"{said} has it {times} times", self._name(id), right=times == 1)
        known = {device for each, device in self._ledger.reports if each == deployment.id}
        known |= {each.device for each in self._ledger.instructions if each.deployment == deployment.id}
        for device in known - set(ids):
            note("last reported statuses", f"{said} does not have the device", self._name(device), right=False)
        for row in rows:
            self._row(deployment, row, known)

    def _row(self, deployment: Deployment, row: dict[str, Any], known: set[str]) -> None:
        device, status = row["id"], row["status"]
        if device in known:
            allowed = self._ledger.allowed(deployment, device)
        else:
            allowed = set(UNASKED)
            if deployment.abort or device in deployment.withdrawn:
                allowed.add("aborted")
            if device in self._ledger.decommissioned:
                allowed.add("decommissioned")
        reports = [(each.status, each.outcome) for each in self._ledger.reports[deployment.id, device]]
        self.result.note(
            "last reported statuses",
            f"deployment {deployment.id} ({deployment.name}, retries {deployment.retries}, "
            f"abort {deployment.abort or 'no'}): the device {device} is {status}, allowed: {sorted(allowed)}; "
            f"reports: {reports}",
            self._name(device),
            right=status in allowed and status in FINAL,
        )

    def _instructions(self) -> None:
        for each in self._ledger.instructions:
            deployment = self._ledger.deployments.get(each.deployment)
            if deployment is None:
                right, why = False, "nobody created it"
            elif deployment.targets is None:
                right, why = deployment.site in each.sites, f"it was for {deployment.site}, not {set(each.sites)}"
            else:
                right, why = each.device in deployment.targets, "the device is none of its targets"
            fits = each.device_type in each.types and (deployment is None or each.release == deployment.release)
            self.result.note(
                "updates for the right device",
                f"at {each.at:.2f} s: deployment {each.deployment}, release {each.release} for {each.types}, "
                f"device of type {each.device_type}: {why}",
                self._name(each.device),
                right=right and fits,
            )

    async def _logs(self) -> None:
        for (deployment, device), mark in self._ledger.logs.items():
            path = f"{DEPLOYMENTS}/{deployment}/devices/{device}/log"
            answer = await self._operator.call("GET", path, kind="compare")
            self.result.note(
                "logs",
                f"deployment {deployment}, {answer.status}",
                self._name(device),
                right=mark in answer.body.decode(),
            )

    async def _uploads(self) -> None:
        for release, uploads in self._ledger.uploads.items():
            found = await self._operator.read(f"{ARTIFACTS}?name={release}", kind="compare")
            listed = [each for each in found if each["name"] == release]  # parts of names are found as well
            by_type = {each["device_types_compatible"][0]: each["id"] for each in listed}
            right = len(listed) == len(uploads) and set(by_type) == set(uploads)
            self.result.note("uploads are listed", f"{release}: {by_type}", right=right)
            for kind in TYPES if right else ():
                link = await self._operator.artifact_link(by_type[kind])
                answer = await self._client.send("GET", link)
                digest = hashlib.sha256(answer.body).hexdigest()
                self.result.note(
                    "uploads are unchanged",
                    f"{release} for {kind} ({urlsplit(link).path}): {answer.status}, {len(answer.body)} bytes",
                    right=digest == uploads[kind].sha256,
                )

    async def _device(self, device: SoakDevice) -> None:
        note = self.result.note
        inventory = await self._operator.call("GET", f"{INVENTORY}/devices/{device.id}", kind="compare")
        shown = await self._operator.call("GET", f"{DEVICES}/{device.id}", kind="compare")
        if device.id in self._ledger.decommissioned:
            statuses = inventory.status, shown.status
            note(
                "decommissioned devices are gone", f"{device.id}: {statuses}", device.name, right=statuses == (404, 404)
            )
            return
        found = _values(inventory.body, "inventory")
        note(
            "inventories",
            f"{device.id}: {found} instead of {device.acknowledged}",
            device.name,
            right=found == device.acknowledged,
        )
        group = _values(inventory.body, "system").get("group", "")
        allowed = self._setup.groups.get(device.id, {""})
        note("groups", f"{device.id}: {group!r} instead of {allowed}", device.name, right=group in allowed)
        status = _document(shown.body).get("status")
        note("accepted devices", f"{device.id} is {status}", device.name, right=status == "accepted")

    async def _searches(self) -> None:
        present = self._setup.present()
        for site in SITES:
            found = await self._operator.search(
                [{"scope": "inventory", "attribute": "site", "type": "$eq", "value": site}]
            )
            wanted = {each.id for each in present if each.acknowledged.get("site") == site}
            ids = {each["id"] for each in found}
            self.result.note("searches", f"{site}: {sorted(ids ^ wanted)} differ", right=ids == wanted)

    async def _audit(self) -> None:
        # Nothing may lead the command to another engine than the one that is noted in the folder.
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        command = [sys.executable, "-m", "infra.manage", "--data", str(self._data), "audit", "verify"]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, env=own, capture_output=True, text=True, check=False
        )
        self.result.note("audit log", f"{done.stdout}{done.stderr}", right=done.returncode == 0)
        entries: Counter[tuple[str, str]] = Counter()
        page = 1
        while True:
            path = f"/api/management/v1/auditlogs/logs?per_page=500&page={page}"
            listed = await self._operator.read(path, kind="compare")
            for each in listed:
                entries[each["action"], each["object"].get("id", "")] += 1
            if len(listed) < 500:
                break
            page += 1
        for deployment in self._ledger.deployments.values():
            wanted = {"create": 1, "abort": int(deployment.abort == ACKNOWLEDGED)}
            for action, times in wanted.items():
                found = entries[action, deployment.id]
                right = found == times or (action == "abort" and deployment.abort not in {"", ACKNOWLEDGED})
                self.result.note("audit entries", f"{deployment.id}: {action}, {found} of {times}", right=right)

    def _events(self, received: list[Received], rows: dict[str, list[dict[str, Any]]]) -> None:
        """Each event was delivered at least once."""
        events = [json.loads(each.body) for each in received if each.body]
        delivered = {(each["type"], each["data"]["id"]) for each in events}
        ended = {
            (each["data"]["id"], each["data"]["device_id"])
            for each in events
            if each["type"] == "deployment-device-finished"
        }
        wanted = {("device-decommissioned", device) for device in self._ledger.decommissioned}
        wanted |= {("deployment-created", each) for each in self._ledger.deployments}
        for kind, id in wanted:
            self.result.note(
                "events", f"{kind} of {id} was not delivered", self._name(id), right=(kind, id) in delivered
            )
        for id in self._ledger.deployments:
            right = bool({("deployment-finished", id), ("deployment-aborted", id)} & delivered)
            self.result.note("events", f"the end of {id} was not delivered", right=right)
            for row in rows[id]:
                if row["status"] in {"success", "failure"}:
                    right = (id, row["id"]) in ended  # a correction of a final status is no further event
                    what = f"{row['status']} of {row['id']} in {id} was not delivered"
                    self.result.note("events", what, self._name(row["id"]), right=right)

    def _name(self, device: str) -> str:
        return self._named.get(device, device)


def _document(body: bytes) -> dict[str, Any]:
    found = json.loads(body or b"{}")
    return found if isinstance(found, dict) else {}


def _values(body: bytes, scope: str) -> dict[str, Any]:
    return {each["name"]: each["value"] for each in _document(body).get("attributes", ()) if each["scope"] == scope}

"""``make demo STORY=bad-release``: a release fails in its first phase and stops; a fixed one gets to all devices.

Every step prints what happened and the call that shows it, and checks that it happened as told.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.simulator.artifacts import build_artifact
from tests.simulator.fleet import DEVICE_TYPE, Fleet
from tests.simulator.management import DEPLOYMENTS, Operator
from tests.simulator.records import DisagreementError, Payload

PHASES = [{"batch_size": 25}, {"batch_size": 25}, {}]
GATE = {"success_percent": 95, "soak": "PT2S"}
STOP = {"max_failures_percent": 25, "minimum_reports": 3}
FEWEST = 16
"""Devices that the story needs, so that enough of the first phase report before it ends."""
PATIENCE = 420.0
"""Seconds after which phases that have not opened are a failure. The schedule of a running server looks once a minute,
and needs two looks for each gate."""
TURN = 0.2
"""Seconds between two rounds of polls."""

SHELL = """
Calls are shown as you can repeat them, in a shell with
  S={url}
  TOKEN=$(curl -s {ca}-X POST -u '{user}:{secret}' $S/api/management/v1/useradm/auth/login)
  api() {{ curl -s {ca}-H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "$@"; }}"""


def bad_updates() -> Iterator[str | None]:
    """The errors of the bad release's updates, one after the other; None: the update succeeds."""
    for number in itertools.count(1):
        yield f"write /dev/mmcblk0p3: no space left on device after {number * 1_310_720} bytes"
        yield f"Health check failed: no answer from http://localhost:8080/health within {29 + number}.5s"
        yield f"write /dev/mmcblk0p3: no space left on device after {number * 2_621_440} bytes"
        yield None


def _waiting(waits: Mapping[str, Any]) -> str:
    """What the next phase waits for. Once its gate is reached, the reason has a time instead of numbers; add them."""
    if "reached" not in waits:
        return str(waits["reason"])
    numbers = f"{waits['succeeded']} of {waits['began']} devices have succeeded, {waits['needed']} are needed"
    return f"{numbers}; {waits['reason']}"


class BadRelease:
    """The story.

    Args:
        console: where it is told.
        fleet: accepted devices that have neither of its releases.
        operator: a user who has logged in.
        look: has the server's schedule look at a deployment; it does so by itself once a minute.
        errors: of the bad release's updates, as of :func:`bad_updates`.
    """

    def __init__(
        self,
        console: Console,
        fleet: Fleet,
        operator: Operator,
        look: Callable[[str], Awaitable[None]],
        errors: Iterator[str | None] | None = None,
    ) -> None:
        self._console = console
        self._fleet = fleet
        self._operator = operator
        self._look = look
        self._steps = itertools.count(1)
        stem = f"demo-{secrets.token_hex(3)}"
        self._bad, self._fixed = f"{stem}-2.0", f"{stem}-2.1"
        fleet.errors[self._bad] = bad_updates() if errors is None else errors

    async def tell(self) -> str:
        """Run the story; returns the id of the last deployment.

        Raises:
            DisagreementError: it did not go as told.
        """
        stopped = await self._stop_at_the_first_phase()
        await self._show_failures(stopped)
        await self._explain(stopped)
        retry = await self._retry_with_the_fix(stopped)
        rest = await self._roll_out_the_fix(stopped)
        await self._report(rest)
        for deployment in (stopped, retry, rest):
            await self._compare(deployment)
        self._require(
            {device.artifact_name for device in self._fleet.devices} == {self._fixed},
            f"all devices have {self._fixed}",
        )
        return rest

    async def _stop_at_the_first_phase(self) -> str:
        """Deploy the bad release, until its failures stop it; returns the deployment."""
        devices = self._fleet.ids
        self._step(f"You deploy {self._bad} to {len(devices)} devices, in three phases")
        await self._upload(self._bad)
        deployment = await self._deploy(self._bad, devices)
        self._say("A quarter of the devices may begin. All of them poll.")
        await self._fleet.check()

        self._step("The deployment stops itself")
        shown = await self._operator.show(deployment)
        self._call(f"{DEPLOYMENTS}/{deployment}", "rollout.pause has the reason")
        rollout = shown["rollout"]
        self._require(rollout["state"] == "stopped", "the failures stop the deployment")
        self._require(rollout["opened"] == 1, "it stops in its first phase")
        pause, begun = rollout["pause"], shown["phases"][0]["device_count"]
        self._require(begun <= len(devices) // 4, "no device begins after the first quarter")
        self._say(f"Stopped: {pause['reason']}.")
        failed = self._number(deployment, "failure")
        self._say(f"{begun} devices had begun in phase 1, and {failed} have failed by now.")
        self._say(f"The other {len(devices) - begun} are spared.")
        return deployment

    async def _show_failures(self, deployment: str) -> None:
        self._step("You ask why devices failed")
        path = f"{DEPLOYMENTS}/{deployment}?outcomes=true"
        outcomes = (await self._operator.ask("GET", path))["outcomes"]
        self._call(path, "outcomes.reasons groups the errors of their logs, without what differs by device")
        table = Table("devices", "reason", "one of them", box=None, padding=(0, 1, 0, 2))
        for reason in outcomes["reasons"]:
            table.add_row(str(reason["count"]), reason["reason"], reason["example"])
        self._console.print(table)
        self._require(len(outcomes["reasons"]) == 2, "there are two reasons")
        failed = sum(reason["count"] for reason in outcomes["reasons"])
        self._require(failed == outcomes["failed"] == self._number(deployment, "failure"), "each failure has a reason")
        device = outcomes["reasons"][0]["devices"][0]
        self._require("Rolling back" in await self._operator.log(deployment, device), "a failed device sent its log")
        self._call(f"{DEPLOYMENTS}/{deployment}/devices/{device}/log", "the whole log of one device")

    async def _explain(self, deployment: str) -> None:
        self._step("You ask what a device that was spared waits for")
        spared = next(id for id in self._fleet.ids if id not in self._fleet.tally.outcomes[deployment])
        path = f"{DEPLOYMENTS}/devices/{spared}/explain"
        explained = await self._operator.ask("GET", path)
        self._call(path)
        found = next(each for each in explained if each["id"] == deployment)
        self._require(found["decision"] == "paused", "the deployment is paused for the device")
        self._say(f"Its next poll brings nothing: {found['reason']}.")

    async def _retry_with_the_fix(self, stopped: str) -> str:
        """Deploy the fixed release to what failed; returns the deployment."""
        failed = self._number(stopped, "failure")
        self._step(f"You fix the release, and retry the {failed} devices that failed with {self._fixed}")
        await self._upload(self._fixed)
        body = {"artifact_name": self._fixed}
        retry = await self._operator.retry(stopped, body)
        self._call(f"{DEPLOYMENTS}/{stopped}/retry", body=json.dumps(body))
        await self._fleet.check()
        shown = await self._operator.show(retry)
        self._call(f"{DEPLOYMENTS}/{retry}", "its parent is the stopped deployment")
        numbers = shown["statistics"]["status"]
        self._say(f"{numbers['success']} of {shown['max_devices']} devices have {self._fixed} now.")
        self._require(
            (shown["status"], shown["parent"], numbers["success"]) == ("finished", stopped, failed),
            "the retry finishes, with success for each device that had failed",
        )
        return retry

    async def _roll_out_the_fix(self, stopped: str) -> str:
        """Replace the stopped deployment by one of the fixed release; returns it."""
        rest = [device.id for device in self._fleet.devices if device.artifact_name != self._fixed]
        self._step(f"You replace the stopped deployment by one of {self._fixed}, to the other {len(rest)} devices")
        self._fleet.tally.aborted.add(stopped)
        await self._operator.abort(stopped)
        self._call(f"{DEPLOYMENTS}/{stopped}/status", method="PUT", body='{"status": "aborted"}')
        deployment = await self._deploy(self._fixed, rest)

        self._step("Each phase opens when the one before has succeeded")
        self._call(f"{DEPLOYMENTS}/{deployment}", "rollout.waits says what the next phase waits for")
        try:
            async with asyncio.timeout(PATIENCE):
                opened = await self._follow(deployment)
        except TimeoutError:
            raise DisagreementError(f"the phases did not open within {PATIENCE:.0f} s") from None
        self._require(opened == list(range(1, len(PHASES) + 1)), "one phase opens after the other")
        return deployment

    async def _follow(self, deployment: str) -> list[int]:
        """Have all devices poll until a deployment has finished; returns the phases in the order of their opening."""
        opened: list[int] = []
        said = ""
        while (shown := await self._operator.show(deployment))["status"] != "finished":
            rollout, numbers = shown["rollout"], shown["statistics"]["status"]
            if [rollout["opened"]] != opened[-1:]:
                opened.append(rollout["opened"])
                done = f"{numbers['success']} of {shown['max_devices']} devices have been updated"
                self._say(f"Phase {rollout['opened']} of {len(PHASES)} is open; {done}.")
            elif "waits" in rollout and (waits := _waiting(rollout["waits"])) != said:
                said = waits
                self._say(f"  {said}")
            await self._fleet.check()
            await self._look(deployment)
            await asyncio.sleep(TURN)
        self._say("All devices have been updated; the deployment is finished.")
        return opened

    async def _report(self, deployment: str) -> None:
        self._step("You read the report")
        path = f"{DEPLOYMENTS}/{deployment}/report"
        report = await self._operator.ask("GET", path)
        self._call(path, "as a table with ?format=csv")
        after = report["finished_after"]
        self._say(f"50 % of {report['targets']} devices were done after {after['p50']} s, 90 % after {after['p90']} s,")
        self._say(f"99 % after {after['p99']} s.")
        for phase in report["phases"]:
            self._say(f"Phase {phase['key']}: {phase['begun']} began, {phase['succeeded']} succeeded.")
        succeeded = sum(phase["succeeded"] for phase in report["phases"])
        self._require(succeeded == report["targets"] and not report["failures"], "no device fails with the fix")
        self._require(after["p50"] <= after["p90"] <= after["p99"], "later shares of the devices are done later")

    async def _compare(self, deployment: str) -> None:
        theirs = await self._operator.statistics(deployment)
        ours = self._fleet.tally.statistics(deployment, (await self._operator.show(deployment))["max_devices"])
        self._require(theirs == ours, f"the server's statistics {theirs} are what the devices reported, {ours}")
        self._require(
            not self._fleet.tally.problems, "; ".join(["no device has problems", *self._fleet.tally.report()])
        )

    async def _upload(self, name: str) -> None:
        artifact = build_artifact(name, [DEVICE_TYPE], secrets.token_bytes(64 * 1024), compression="none")
        self._fleet.payloads[name] = Payload.of(artifact)
        await self._operator.upload(artifact, "Made by make demo")

    async def _deploy(self, artifact: str, devices: Sequence[str]) -> str:
        options: Mapping[str, Any] = {"phases": PHASES, "rollout": {"gate": GATE, "stop": STOP}}
        deployment = await self._operator.deploy(f"Release {artifact}", artifact, list(devices), **options)
        start = json.dumps({"name": f"Release {artifact}", "artifact_name": artifact})[:-1]
        body = f'{start}, "devices": [{len(devices)} ids], {json.dumps(options)[1:]}'
        self._call(DEPLOYMENTS, body=body)
        return deployment

    def _number(self, deployment: str, status: str) -> int:
        """How many devices have reported this status last."""
        return list(self._fleet.tally.outcomes.get(deployment, {}).values()).count(status)

    def _step(self, title: str) -> None:
        self._console.print(f"\n{next(self._steps)}. {title}", style="bold", markup=False, soft_wrap=True)

    def _say(self, text: str) -> None:
        self._console.print(f"   {text}", markup=False, soft_wrap=True)

    def _call(self, path: str, shows: str = "", *, method: str = "", body: str = "") -> None:
        """Print a call as one can repeat it, and what it shows."""
        given = (f"-X {method} " if method else "") + (f"-d '{body}' " if body else "")
        self._console.print(f'   api {given}"$S{path}"', style="cyan", markup=False, soft_wrap=True)
        if shows:
            self._console.print(f"   # {shows}", style="dim", markup=False, soft_wrap=True)

    @staticmethod
    def _require(is_so: bool, told: str) -> None:
        """Check a statement of the story.

        Raises:
            DisagreementError: it is not true.
        """
        if not is_so:
            raise DisagreementError(f"this should be so, and is not: {told}")

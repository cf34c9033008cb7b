"""What happens in random histories of safe rollouts, on the server and in a model of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from tests.deployments.approvals.asking import SETTINGS, decide
from tests.deployments.lifecycle import DEVICES, TIMEOUT, V2, Lifecycle
from tests.deployments.model import ZONES, Deployment, Gate, Pace, administrator, phases_from
from tests.deployments.rollouts.test_gates import state, steer
from tests.deployments.world import DEPLOYMENTS

HOLDS = {"paused", "phase-not-open", "window-closed", "delayed", "phase-full", "rate-reached"}


@dataclass(frozen=True)
class Protection:
    """What protects a deployment besides its pace."""

    gate: Gate | None
    sizes: tuple[int, ...]
    """The numbers of devices of all phases but the last one; none: it has no phases."""
    max_failures: int | None
    retries: int
    hours: int
    """Until the first phase starts."""
    asks: bool
    """Whether a second person approves it."""

    def wanted(self, now: datetime) -> tuple[dict[str, Any], list[tuple[datetime, int | None]]]:
        """Members of the request, and the phases of the model."""
        more: dict[str, Any] = {"rollout": {}, "retries": self.retries}
        if self.max_failures:
            more["rollout"]["stop"] = {"max_failures": self.max_failures}
        if not self.sizes:
            return more, []
        listed, phases = phases_from(now, dict(enumerate([*self.sizes, None], self.hours)))
        if not self.hours:
            del listed[0]["start_ts"]
        if self.gate is not None:
            more["rollout"]["gate"] = {"success_percent": self.gate.percent, "soak": f"PT{self.gate.soak}M"}
            phases = [(phases[0][0], upto) for _, upto in phases]
            for each in listed[1:]:
                del each["start_ts"]
        return more | {"phases": listed}, phases


class Rollouts(Lifecycle):
    """The steps of ``Lifecycle``, and safeguarded deployments with what operators and devices do about them."""

    outcomes: ClassVar[Counter[str]] = Counter()
    """How often polls and explanations had each outcome, failures stopped a deployment, and a gate opened a phase."""

    def _change(self, device: int, deployment: Deployment, status: str) -> None:
        before = deployment.failures
        super()._change(device, deployment, status)
        self._stop(deployment, before)

    def _time_passes(self, hours: float, ticks: int) -> None:
        before = {each.id: each.failures for each in self.deployments}
        for each in self.deployments if ticks else ():
            each.expire(self.moment.time + timedelta(hours=hours))
            self.outcomes["gate opened"] += each.look(self.moment.time + timedelta(hours=hours))
        super()._time_passes(hours, ticks)
        for each in self.deployments:
            self._stop(each, before[each.id])

    def _stop(self, deployment: Deployment, before: int) -> None:
        """Pause a deployment that had ``before`` failures, if it has too many now."""
        most = deployment.max_failures
        if most is None or not deployment.open or deployment.paused_at or deployment.failures <= before:
            return
        if deployment.failures - deployment.accepted >= most:
            deployment.pause(self.moment.time)
            self.outcomes["stopped"] += 1

    def pause(self, which: int) -> None:
        """An operator pauses one of the last deployments."""
        if not self.deployments:
            return
        deployment = self._choose(which)
        answer = steer(self.world, deployment.id, "pause")

        works = deployment.open and not deployment.waits
        assert answer.status_code == (204 if works else 409), answer.text
        if works and not deployment.paused_at:
            deployment.pause(self.moment.time)

    def resume(self, which: int) -> None:
        """An operator resumes a deployment that is paused."""
        paused = [each for each in self.deployments if each.paused_at and each.open]
        if not paused:
            return
        deployment = paused[which % len(paused)]
        assert state(self.world, deployment.id)["state"] in {"paused", "stopped"}
        assert steer(self.world, deployment.id, "resume").status_code == 204
        assert deployment.paused_at is not None
        deployment.paused_for += timedelta(seconds=int((self.moment.time - deployment.paused_at).total_seconds()))
        deployment.paused_at = None
        deployment.look_later(self.moment.time)
        deployment.accepted = deployment.failures

    def open_phase(self, which: int) -> None:
        """An operator opens the next phase of one of the last deployments that have phases."""
        phased = [each for each in self.deployments if each.phases]
        if not phased:
            return
        deployment = phased[-1 - which % len(phased)]
        opened = (deployment.phase(self.moment.time) or 0) + 1
        answer = steer(self.world, deployment.id, "open_phase", phase=opened + 1)

        works = deployment.open and not deployment.waits and not deployment.paused_at
        works = works and opened < len(deployment.phases)
        assert answer.status_code == (204 if works else 409), answer.text
        if works:
            deployment.open_next(opened + 1, self.moment.time)
            deployment.look_later(self.moment.time)

    def abort_oldest(self) -> None:
        """An operator aborts the oldest open deployment, which may keep all devices waiting."""
        opened = [number for number, each in enumerate(self.deployments) if each.open]
        if opened:
            self.abort(len(self.deployments) - 1 - opened[0], really=True)

    def _choose(self, which: int) -> Deployment:
        return self.deployments[-1 - which % len(self.deployments)]

    def begin(self) -> None:
        super().begin()
        tenant = self.world.api.get("/api/management/v2/tenantadm/tenants/me").json()["id"]
        self.second = administrator(self.server.url, tenant)
        # A fixed time, because windows depend on it. Devices have just shown their type and time zone.
        self.moment.time = datetime(2031, 1, 15, tzinfo=UTC)
        for device in range(DEVICES):
            self.move(device, "UTC")
        for device in (1, 2):
            self.tag(device, is_here=True)

    def teardown(self) -> None:
        if hasattr(self, "second"):
            self.second.close()
        super().teardown()

    def move(self, device: int, zone: str) -> None:
        """A device reports another time zone."""
        if device in self.gone:
            return
        known = {"device_type": "qemux86-64", "artifact_name": "original", "geo-timezone": zone}
        assert self.devices[device].inventory(known).is_success
        self.zones.pop(device, None)
        if zone in ZONES:
            self.zones[device] = zone

    def safeguard(
        self, chosen: set[int], dynamic: int | None, pace: Pace, protection: Protection, succeed: bool
    ) -> None:
        """A deployment with these safeguards, after which devices poll.

        ``dynamic``: its limit, if it is for tagged devices. ``succeed``: as in ``wait``.
        """
        now, name = self.moment.time, f"rollout {len(self.deployments)}"
        number = len(self.here - self.gone) if dynamic is not None else len(chosen)
        if sum(protection.sizes) >= number:
            protection = replace(protection, sizes=())
        more, phases = protection.wanted(now)
        more["rollout"] |= pace.wanted
        if protection.asks:
            self._demand(1)
        if dynamic is None:
            made = self.world.deploy("two", [self.devices[each].id for each in sorted(chosen)], name=name, **more)
        else:
            more |= {"name": name, "artifact_name": "two", "filter_id": self.filter, "max_devices": dynamic}
            answer = self.world.api.post(f"{V2}/deployments", json=more)
            assert answer.status_code == 201, answer.text
            made = answer.headers["Location"].rsplit("/", 1)[-1]
        if protection.asks:
            self._demand(0)
        asks = protection.asks and (number > 1 if dynamic is None else dynamic != 1)
        self.deployments.append(
            Deployment(
                made,
                next(self.numbers),
                set() if dynamic is not None else chosen,
                "two",
                protection.retries,
                phases,
                ids=[device.id for device in self.devices],
                dynamic=dynamic is not None,
                most=dynamic or 0,
                pace=pace,
                visible=now,
                relative=not protection.hours,
                gated_from=now if phases and protection.gate else None,
                gate=protection.gate or Gate(),
                max_failures=protection.max_failures,
                approval="waiting" if asks else None,
                expires=now + timedelta(hours=2),
            )
        )
        self.deployments[-1].look_later(self.moment.time)
        self.wait(0, 0, [*range(DEVICES)], succeed=succeed)

    def _demand(self, devices: int) -> None:
        wanted = {"device_timeout": TIMEOUT, "approval_devices": devices, "approval_hours": 2}
        assert self.world.api.put(SETTINGS, json=wanted).status_code == 204

    def decide(self, which: int, approve: bool, is_second: bool) -> None:
        """A second person, or the one who asked, decides about a deployment that waits, or again about another one."""
        asked = [each for each in self.deployments if each.approval]
        asked = [each for each in asked if each.waits] or asked
        if not asked:
            return
        deployment, now = asked[-1 - which % len(asked)], self.moment.time
        decided = "approved" if approve else "rejected"
        answer = decide(self.second if is_second else self.world.api, deployment.id, approve=approve)
        works = deployment.waits and deployment.expires is not None and deployment.expires > now
        expected = (204 if is_second else 403) if works else 409
        if is_second and deployment.approval == decided:
            expected = 204  # again
        assert answer.status_code == expected, answer.text
        if works and is_second and approve:
            deployment.approve(next(self.numbers), now)
        elif works and is_second:
            deployment.approval, deployment.aborted = decided, True
        for device in range(DEVICES):
            self._poll(device)

    def wait(self, minutes: float, ticks: int, devices: list[int], succeed: bool) -> None:
        """Time passes, and devices poll. They ``succeed`` in what they have begun, or go on with it later."""
        self._time_passes(minutes / 60, ticks)
        for device in devices:
            self._poll(device)
            if succeed:
                self._finish(device)

    def explain(self, device: int) -> None:
        """The explanations of a device are what the model expects of its next poll."""
        answer = self.world.api.get(f"{DEPLOYMENTS}/devices/{self.devices[device].id}/explain")
        if device in self.gone:
            assert answer.status_code == 404
            return
        assert answer.status_code == 200, answer.text
        shown = {each["id"]: each["decision"] for each in answer.json()}
        expected = self._explained(device)
        assert shown.keys() <= expected.keys()
        for id_, said in expected.items():
            if said in {"not-a-target", "done"}:  # which may be left out
                assert shown.get(id_, said) == said
            else:
                assert shown.get(id_) == said
        self.outcomes.update(expected.values())

    def _explained(self, device: int) -> dict[str, str]:
        """The decision about each open deployment."""
        active, found = self.active[device], dict[str, str]()
        decided = self.decided[device]
        if active is not None and not active.open and not active.configures:
            decided = max(decided, active.sequence)
        first, is_held = active if active is not None and active.open else None, False
        for each in filter(lambda each: each.open, self._in_order()):
            is_for = device in self.here if each.dynamic else device in each.targets
            outcome = "not-a-target"
            if each is active:
                outcome = "active"
            elif each.waits and (is_for or each.dynamic):
                outcome = "waits-for-approval"
            elif not each.waits and each.sequence > decided and not is_held and 0 < each.most <= each.begun:
                outcome = "limit-reached"
            elif is_for and each.sequence <= decided:
                outcome = "done"
            elif is_for:
                outcome = self._outcome(each, device, is_held=is_held, is_first=first is None)
                is_held |= outcome in HOLDS and each.holds(outcome)
                first = each if outcome == "assign" else first
            found[each.id] = outcome
        return found

    def _outcome(self, deployment: Deployment, device: int, *, is_held: bool, is_first: bool) -> str:
        if is_held and not deployment.configures:
            return "behind-another"
        outcome = deployment.outcome(device, self.zones.get(device), self.moment.time)
        return "later" if outcome == "assign" and not is_first else outcome

    def fail(self, device: int) -> None:
        """The device's update fails."""
        self.work(device, ["failure"])

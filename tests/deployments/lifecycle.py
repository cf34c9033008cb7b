"""What happens in random histories of deployments, on the server and in a model of it (``test_lifecycle``)."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from chalicelib.deployments.service import managing as service
from tests.deployments.model import FINAL, Deployment, compare, minute, new_world, phases_from
from tests.deployments.world import DEPLOYMENTS
from tests.support.time import Clock

if TYPE_CHECKING:
    from infra.local.testing import LocalServer
    from tests.simulator.device import Device

REPORTS = ["downloading", "installing", "rebooting", "pause_before_installing", "success", "failure"]
DEVICES = 5
TIMEOUT = 7200
RARELY = st.sampled_from([*[False] * 7, True])
"""Share of steps that end something, so that not everything ends early."""
V2 = "/api/management/v2/deployments"


class Lifecycle(RuleBasedStateMachine):
    """Five devices, two artifacts that fit and one that does not."""

    server: ClassVar[LocalServer]
    outcomes: ClassVar[Counter[str]] = Counter()
    """How often polls had each outcome, in all histories."""

    @initialize()
    def begin(self) -> None:
        self.world = new_world(self.server.url)
        api = self.world.api
        self.devices: list[Device] = [self.world.device() for _ in range(DEVICES)]
        assert api.put("/api/management/v2/tenantadm/settings", json={"device_timeout": TIMEOUT}).is_success
        terms = [{"scope": "tags", "attribute": "place", "type": "$eq", "value": "here"}]
        saved = api.post("/api/management/v2/inventory/filters", json={"name": "here", "terms": terms})
        self.filter = saved.headers["Location"].rsplit("/", 1)[-1]
        self.here = {0}
        self._tag(0, is_here=True)
        for name in ("one", "two"):
            self.world.upload(name)
        self.world.upload("foreign", ("other-board",))
        self.deployments: list[Deployment] = []
        self.numbers = count(1)
        self.active: dict[int, Deployment | None] = dict.fromkeys(range(DEVICES))
        self.decided: dict[int, int] = dict.fromkeys(range(DEVICES), 0)
        self.gone: set[int] = set()
        self.zones: dict[int, str] = {}
        self.patch = pytest.MonkeyPatch()
        self.moment = Clock(self.patch)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            for each in self.deployments:
                self._compare(each)
        finally:
            self.world.api.close()
            self.world.http.close()
            self.patch.undo()

    @rule(
        chosen=st.sampled_from([set(range(DEVICES)), {0, 1, 2}, {0, 1}, {1, 2, 3, 4}, {0}, {2}]),
        artifact=st.sampled_from(["one", "one", "two", "two", "foreign"]),
        strangers=st.sampled_from([0, 0, 12]),
        retries=st.sampled_from([0, 0, 1]),
        starts=st.sampled_from([(), (), (0,), (1,)]),
    )
    def create(self, chosen: set[int], artifact: str, strangers: int, retries: int, starts: tuple[int, ...]) -> None:
        """With twelve unknown ids, the deployment is too large for device heads and never finishes by itself.

        ``starts``: hours until its phase opens, if it has one.
        """
        self._create(chosen, artifact, strangers, retries, dict.fromkeys(starts))

    @rule(
        chosen=st.sampled_from([set(range(DEVICES)), {0, 1, 2}, {1, 2, 3, 4}]),
        artifact=st.sampled_from(["one", "one", "two", "two", "foreign"]),
        strangers=st.sampled_from([0, 0, 12]),
        first=st.sampled_from([0, 0, 1]),
        sizes=st.lists(st.integers(1, 2), min_size=1, max_size=2),
    )
    def roll_out(self, chosen: set[int], artifact: str, strangers: int, first: int, sizes: list[int]) -> None:
        """In phases of an hour each that are smaller than the number of devices."""
        sizes = sizes if sum(sizes) < len(chosen) else sizes[:1]
        phases: dict[int, int | None] = {first + hour: size for hour, size in enumerate(sizes)}
        self._create(chosen, artifact, strangers, 0, phases | {first + len(sizes): None})
        for device in range(DEVICES):
            self._poll(device)

    def _create(
        self, chosen: set[int], artifact: str, strangers: int, retries: int, batches: dict[int, int | None]
    ) -> None:
        ids = [self.devices[each].id for each in sorted(chosen)] + [str(uuid.uuid4()) for _ in range(strangers)]
        name = f"rollout {len(self.deployments)}"
        wanted, phases = phases_from(self.moment.time, batches)
        made = self.world.deploy(artifact, ids, name=name, retries=retries, phases=wanted or None)
        known = chosen | set(range(100, 100 + strangers))
        self.deployments.append(Deployment(made, next(self.numbers), known, artifact, retries, phases))

    @rule(most=st.sampled_from([0, 1, 2]), artifact=st.sampled_from(["one", "two", "two", "foreign"]))
    def create_dynamic(self, most: int, artifact: str) -> None:
        """For the tagged devices."""
        body = {"name": f"rollout {len(self.deployments)}", "artifact_name": artifact, "filter_id": self.filter}
        answer = self.world.api.post(f"{V2}/deployments", json=body | {"max_devices": most})
        assert answer.status_code == 201, answer.text
        made = answer.headers["Location"].rsplit("/", 1)[-1]
        sequence = next(self.numbers)
        self.deployments.append(Deployment(made, sequence, set(), artifact, 0, dynamic=True, most=most))

    @rule(device=st.integers(0, DEVICES - 1), retries=st.sampled_from([0, 0, 1]), finishes=st.booleans())
    def configure(self, device: int, retries: int, finishes: bool) -> None:
        """A configuration for one device, which gets it even while an older deployment waits for a phase."""
        if device in self.gone:
            return
        place = f"/api/management/v1/deviceconfig/configurations/device/{self.devices[device].id}"
        assert self.world.api.put(place, json={"number": str(len(self.deployments))}).status_code == 204
        answer = self.world.api.post(f"{place}/deploy", json={"retries": retries})
        assert answer.status_code == 200, answer.text
        made = answer.json()["deployment_id"]
        sequence = next(self.numbers)
        self.deployments.append(Deployment(made, sequence, {device}, "configuration", retries, configures=True))
        self._poll(device)
        if finishes:
            self._finish(device)

    @rule(device=st.integers(0, DEVICES - 1), is_here=st.booleans())
    def tag(self, device: int, is_here: bool) -> None:
        if device in self.gone:
            return
        self._tag(device, is_here=is_here)
        (self.here.add if is_here else self.here.discard)(device)

    def _tag(self, device: int, *, is_here: bool) -> None:
        place = f"/api/management/v1/inventory/devices/{self.devices[device].id}/tags"
        tags = [{"name": "place", "value": "here"}] if is_here else []
        assert self.world.api.put(place, json=tags).status_code == 200

    def _time_passes(self, hours: float, ticks: int) -> None:
        self.moment.move(hours=hours)
        for _ in range(ticks):
            service.tick(self.moment.time)
        for each in self.deployments if ticks else ():
            for device, due in list(each.due.items()):
                if each.open and due <= self.moment.time:
                    each.note(device, "failure")
                    each.waiting_to_retry.discard(device)
                    if self.active[device] is each:
                        self._go_on(device, each)

    def _go_on(self, device: int, finished: Deployment) -> None:
        self.active[device] = None
        self._decide(device, finished)

    def _decide(self, device: int, finished: Deployment) -> None:
        if not finished.configures:
            self.decided[device] = max(self.decided[device], finished.sequence)

    def _heard(self, device: int, deployment: Deployment) -> None:
        deployment.due[device] = self.moment.time + timedelta(seconds=TIMEOUT)

    @rule(devices=st.permutations(range(DEVICES)), hours=st.sampled_from([0, 0, 1, 2]), ticks=st.integers(0, 2))
    def a_round(self, devices: list[int], hours: int, ticks: int) -> None:
        """Time passes, and all devices poll. The schedule may have run twice, or not at all."""
        self._time_passes(hours, ticks)
        for device in devices:
            self._poll(device)

    def _poll(self, device: int) -> None:
        answer = self.devices[device].poll()
        if device in self.gone:
            assert answer.status_code == 401
            return
        expected = self._next(device)
        if expected is None:
            assert answer.status_code == 204, (answer.text, device)
        else:
            assert answer.status_code == 200, (answer.text, device, expected)
            assert answer.json()["id"] == expected.id

    def _next(self, device: int) -> Deployment | None:
        active = self.active[device]
        if active is not None and active.open:
            active.waiting_to_retry.discard(device)
            if active.artifact == "foreign":  # a report reactivated it, although no artifact fits
                active.note(device, "noartifact")
                self._go_on(device, active)
                return None
            return active
        if active is not None:
            self._go_on(device, active)
        is_held, now = False, self.moment.time
        for each in self._in_order():
            if not self._waits(each, device) or (is_held and not each.configures):
                continue
            outcome, phase = each.outcome(device, self.zones.get(device), now), each.phase(now)
            self.outcomes[outcome] += 1
            if outcome != "assign":
                is_held |= each.holds(outcome)
                continue
            if device in each.rows and device not in each.deleted:
                # It left before the approval, or a late report has taken the row up.
                if each.rows[device] in FINAL:
                    self._decide(device, each)
                else:
                    self.active[device] = each
                return self._next(device)
            each.begin(device, phase, each.bound(phase))
            each.attempts[device] = 1
            if each.artifact == "foreign":
                each.note(device, "noartifact")
                self.decided[device] = each.sequence
                return None
            each.note(device, "pending")
            each.in_minute[minute(now)] += 1
            self._heard(device, each)
            self.active[device] = each
            return each
        return None

    def _in_order(self) -> list[Deployment]:
        return sorted(self.deployments, key=lambda each: each.sequence)

    def _waits(self, deployment: Deployment, device: int) -> bool:
        is_new = deployment.sequence > self.decided[device] and not deployment.waits
        return deployment.open and is_new and self._is_for(deployment, device)

    def _is_for(self, deployment: Deployment, device: int) -> bool:
        if not deployment.dynamic:
            return device in deployment.targets
        return device in self.here and not (deployment.most and deployment.begun >= deployment.most)

    @rule(device=st.integers(0, DEVICES - 1), statuses=st.lists(st.sampled_from(REPORTS), min_size=1, max_size=3))
    def work(self, device: int, statuses: list[str]) -> None:
        """A device continues its update."""
        self._poll(device)
        for status in statuses:
            deployment = self.active[device]
            if deployment is not None:
                expected = self._report(device, deployment, status)
                assert self.devices[device].report(deployment.id, status).status_code == expected

    @rule(devices=st.sets(st.integers(0, DEVICES - 1), min_size=2))
    def finish(self, devices: set[int]) -> None:
        """Devices finish their updates and poll again."""
        for device in sorted(devices):
            self._finish(device)

    def _finish(self, device: int) -> None:
        deployment = self.active[device]
        if deployment is not None:
            expected = self._report(device, deployment, "success")
            assert self.devices[device].report(deployment.id, "success").status_code == expected
        self._poll(device)

    @precondition(lambda self: self.deployments)
    @rule(
        device=st.integers(0, DEVICES - 1),
        which=st.integers(0, 7),
        status=st.sampled_from(REPORTS),
        twice=st.booleans(),
    )
    def report(self, device: int, which: int, status: str, twice: bool) -> None:
        deployment = self.deployments[-1 - which % len(self.deployments)]
        expected = self._report(device, deployment, status)
        answer = self.devices[device].report(deployment.id, status)
        assert answer.status_code == expected, (answer.text, deployment, device, status)
        if twice:
            again = self._report(device, deployment, status)
            assert self.devices[device].report(deployment.id, status).status_code == again

    def _report(self, device: int, deployment: Deployment, status: str) -> int:
        """Send a report, update the model, and return the answer."""
        if device in self.gone:
            return 401
        if device not in deployment.rows:
            return 404
        before = deployment.shown(device)
        if before in {"aborted", "decommissioned"}:
            return 409
        if before not in FINAL and deployment.open:
            self._heard(device, deployment)
        if status != before and (status in FINAL or deployment.open):
            self._change(device, deployment, status)
        return 204

    def _change(self, device: int, deployment: Deployment, status: str) -> None:
        if self.active[device] is deployment:
            attempt = deployment.attempts[device]
            if status == "failure" and device in deployment.waiting_to_retry:
                return
            if status == "failure" and attempt <= deployment.retries:
                deployment.attempts[device] = attempt + 1
                deployment.waiting_to_retry.add(device)
                status = "pending"
            else:
                deployment.waiting_to_retry.discard(device)
            if status in FINAL:
                self._go_on(device, deployment)
        elif status not in FINAL and self.active[device] is None:
            self.active[device] = deployment
        if status not in FINAL:
            self._heard(device, deployment)
        deployment.note(device, status)

    @precondition(lambda self: self.deployments)
    @rule(which=st.integers(0, 7), really=RARELY)
    def abort(self, which: int, really: bool) -> None:
        if not really:
            return
        deployment = self.deployments[-1 - which % len(self.deployments)]
        answer = self.world.api.put(f"{DEPLOYMENTS}/{deployment.id}/status", json={"status": "aborted"})

        assert answer.status_code == (204 if deployment.open else 422)
        if deployment.open:
            deployment.aborted = True

    @rule(device=st.integers(0, DEVICES - 1), really=RARELY)
    def withdraw(self, device: int, really: bool) -> None:
        if not really:
            return
        answer = self.world.api.delete(f"{DEPLOYMENTS}/devices/{self.devices[device].id}")

        assert answer.status_code == 204
        if device not in self.gone:
            self._leave(device, "aborted")

    def _leave(self, device: int, status: str) -> None:
        active = self.active[device]
        if active is not None:
            if active.open:
                active.note(device, status)
            self._go_on(device, active)
        for each in self._in_order():
            if each.waits and self._is_for(each, device) and device not in each.rows:
                each.begin(device, None, each.bound(None))
                each.note(device, status)
            elif self._waits(each, device):
                each.begin(device, None, each.bound(None))
                each.note(device, status)
                self._decide(device, each)

    @rule(device=st.integers(0, DEVICES - 1))
    def forget(self, device: int) -> None:
        answer = self.world.api.delete(f"{DEPLOYMENTS}/devices/{self.devices[device].id}/history")

        assert answer.status_code == 204
        if device in self.gone:
            return
        for each in self.deployments:
            if device in each.rows and each.shown(device) in FINAL:
                each.deleted.add(device)
        self.decided[device] = 0

    @precondition(lambda self: not self.gone)
    @rule(device=st.integers(0, DEVICES - 1), really=RARELY)
    def decommission(self, device: int, really: bool) -> None:
        if device in self.gone or not really:
            return
        answer = self.world.api.delete(f"/api/management/v2/devauth/devices/{self.devices[device].id}")
        assert answer.status_code == 204
        self.server.drain()
        self._leave(device, "decommissioned")
        self.gone.add(device)

    @invariant()
    def server_equals_the_model(self) -> None:
        """Compare only what changed in the model: comparing everything after each step would take minutes."""
        for each in getattr(self, "deployments", ()):
            if each.checked != each.known:
                self._compare(each)
                each.checked = each.known

    def _compare(self, each: Deployment) -> None:
        compare(self.world, each, {device.id: number for number, device in enumerate(self.devices)}, self.moment.time)

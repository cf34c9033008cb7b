"""The life of deployments as a state machine: a model of sixty lines against the server, over random histories.

After every step: statistics equal the rows, counters equal the rows, a device has at most one active row, and a
deployment is finished exactly when everybody is done or it was aborted.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import httpx2
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import PASSWORD
from tests.deployments.world import DEPLOYMENTS, World

if TYPE_CHECKING:
    from infra.local.testing import LocalServer
    from tests.simulator.device import Device

FINAL = {"success", "failure", "noartifact", "already-installed", "aborted", "decommissioned"}
REPORTS = ["downloading", "installing", "rebooting", "pause_before_installing", "success", "failure"]
DEVICES = 3


@dataclass
class Deployment:
    """A deployment as the model knows it."""

    id: str
    sequence: int
    targets: set[int]
    artifact: str
    retries: int
    rows: dict[int, str] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    in_line: set[int] = field(default_factory=set)
    """Devices that failed, have attempts left, and have not asked again."""
    aborted: bool = False
    finished: bool = False
    checked: object = None
    """What the model knew when the server was last compared with it."""

    @property
    def known(self) -> object:
        return dict(self.rows), self.aborted, self.finished

    @property
    def open(self) -> bool:
        return not self.aborted and not self.finished

    def note(self, device: int, status: str) -> None:
        self.rows[device] = status
        self.finished |= sum(status in FINAL for status in self.rows.values()) >= len(self.targets)

    def shown(self, device: int) -> str:
        status = self.rows[device]
        return "aborted" if self.aborted and status not in FINAL else status


class Lifecycle(RuleBasedStateMachine):
    """Three devices, two artifacts that fit and one that doesn't."""

    server: ClassVar[LocalServer]

    @initialize()
    def begin(self) -> None:
        from chalicelib.tenantadm import service as tenantadm
        from chalicelib.useradm import service as useradm

        tenant = tenantadm.create_tenant("Acme")
        email = f"{uuid.uuid4().hex}@example.com"
        useradm.create_user(tenant.id, email, PASSWORD)
        http = httpx2.Client(base_url=self.server.url, timeout=30)
        token = http.post("/api/management/v1/useradm/auth/login", auth=(email, PASSWORD)).text
        api = httpx2.Client(base_url=self.server.url, timeout=30, headers={"Authorization": f"Bearer {token}"})
        self.world = World(api, http, tenant.tenant_token)
        self.devices: list[Device] = [self.world.device() for _ in range(DEVICES)]
        for name in ("one", "two"):
            self.world.upload(name)
        self.world.upload("foreign", ("other-board",))
        self.deployments: list[Deployment] = []
        self.active: dict[int, Deployment | None] = dict.fromkeys(range(DEVICES))
        self.decided: dict[int, int] = dict.fromkeys(range(DEVICES), 0)
        self.gone: set[int] = set()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            for each in self.deployments:
                self._compare(each)
            self.world.api.close()
            self.world.http.close()

    @rule(
        chosen=st.sets(st.integers(0, DEVICES - 1), min_size=1),
        artifact=st.sampled_from(["one", "one", "two", "foreign"]),
        strangers=st.sampled_from([0, 0, 12]),
        retries=st.sampled_from([0, 0, 1]),
    )
    def create(self, chosen: set[int], artifact: str, strangers: int, retries: int) -> None:
        """With twelve ids that are no device's, the deployment is too large for heads and never ends by itself."""
        ids = [self.devices[each].id for each in sorted(chosen)] + [str(uuid.uuid4()) for _ in range(strangers)]
        name = f"rollout {len(self.deployments)}"
        made = self.world.deploy(artifact, ids, name=name, retries=retries)
        known = chosen | set(range(100, 100 + strangers))
        self.deployments.append(Deployment(made, len(self.deployments) + 1, known, artifact, retries))

    @rule(device=st.integers(0, DEVICES - 1))
    def poll(self, device: int) -> None:
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
            active.in_line.discard(device)
            return active
        if active is not None:
            self.active[device] = None
            self.decided[device] = max(self.decided[device], active.sequence)
        for each in self.deployments:
            if not each.open or each.sequence <= self.decided[device] or device not in each.targets:
                continue
            each.attempts[device] = 1
            each.deleted.discard(device)
            if each.artifact == "foreign":
                each.note(device, "noartifact")
                self.decided[device] = each.sequence
                return None
            each.note(device, "pending")
            self.active[device] = each
            return each
        return None

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
        """What the report is answered with; the model after it."""
        if device in self.gone:
            return 401
        if device not in deployment.rows:
            return 404
        before = deployment.shown(device)
        if before in {"aborted", "decommissioned"}:
            return 409
        if status != before and (status in FINAL or deployment.open):
            self._change(device, deployment, status)
        return 204

    def _change(self, device: int, deployment: Deployment, status: str) -> None:
        if self.active[device] is deployment:
            attempt = deployment.attempts[device]
            if status == "failure" and device in deployment.in_line:
                return
            if status == "failure" and attempt <= deployment.retries:
                deployment.attempts[device] = attempt + 1
                deployment.in_line.add(device)
                status = "pending"
            else:
                deployment.in_line.discard(device)
            if status in FINAL:
                self.active[device] = None
                self.decided[device] = max(self.decided[device], deployment.sequence)
        elif status not in FINAL and self.active[device] is None:
            self.active[device] = deployment
        deployment.note(device, status)

    @precondition(lambda self: self.deployments)
    @rule(which=st.integers(0, 7))
    def abort(self, which: int) -> None:
        deployment = self.deployments[-1 - which % len(self.deployments)]
        answer = self.world.api.put(f"{DEPLOYMENTS}/{deployment.id}/status", json={"status": "aborted"})

        assert answer.status_code == (204 if deployment.open else 422)
        if deployment.open:
            deployment.aborted = True

    @rule(device=st.integers(0, DEVICES - 1))
    def withdraw(self, device: int) -> None:
        answer = self.world.api.delete(f"{DEPLOYMENTS}/devices/{self.devices[device].id}")

        assert answer.status_code == 204
        if device not in self.gone:
            self._leave(device, "aborted")

    def _leave(self, device: int, status: str) -> None:
        active = self.active[device]
        if active is not None:
            if active.open:
                active.note(device, status)
            self.decided[device] = max(self.decided[device], active.sequence)
            self.active[device] = None
        for each in self.deployments:
            if each.open and each.sequence > self.decided[device] and device in each.targets:
                each.deleted.discard(device)
                each.note(device, status)
                self.decided[device] = each.sequence

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

    @precondition(lambda self: len(self.gone) < DEVICES - 1)
    @rule(device=st.integers(0, DEVICES - 1))
    def decommission(self, device: int) -> None:
        if device in self.gone:
            return
        answer = self.world.api.delete(f"/api/management/v2/devauth/devices/{self.devices[device].id}")
        assert answer.status_code == 204
        self.server.drain()
        self._leave(device, "decommissioned")
        self.gone.add(device)

    @invariant()
    def what_changed_is_on_the_books(self) -> None:
        """Only what the model thinks has changed: a test of everything after every step would take minutes."""
        for each in getattr(self, "deployments", ()):
            if each.checked != each.known:
                self._compare(each)
                each.checked = each.known

    def _compare(self, each: Deployment) -> None:
        shown = self.world.show(each.id)
        rows = {row: data["status"] for row, data in self.world.rows(each.id).items()}
        ids = {self.devices[device].id: device for device in range(DEVICES)}
        assert {ids[row]: status for row, status in rows.items()} == {
            device: each.shown(device) for device in each.rows
        }
        expected: Counter[str] = Counter(rows.values())
        if not each.aborted:
            expected["pending"] += len(each.targets) - len(rows)
        numbers: dict[str, Any] = shown["statistics"]["status"]
        assert +Counter(numbers) == +expected
        assert (shown["status"] == "finished") == (not each.open)
        assert ("finished" in shown) == (not each.open)
        assert shown["device_count"] == len(rows)
        assert shown["max_devices"] == len(each.targets)


def test_any_history_keeps_the_books(server: LocalServer) -> None:
    Lifecycle.server = server
    run_state_machine_as_test(
        Lifecycle,
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            deadline=None,
            # A failing history is short enough to read; making it shorter costs minutes of HTTP.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )

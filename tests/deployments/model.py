"""The model of a deployment for the state machine in ``test_lifecycle.py``."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx2

from chalicelib import clock
from chalicelib.rights import EVERYTHING
from chalicelib.tenantadm import service as tenantadm
from chalicelib.useradm import service as useradm
from tests.conftest import PASSWORD
from tests.deployments.world import World

FINAL = {"success", "failure", "noartifact", "already-installed", "aborted", "decommissioned"}


@dataclass
class Deployment:
    """The expected state of a deployment."""

    id: str
    sequence: int
    targets: set[int]
    artifact: str
    retries: int
    phases: list[tuple[datetime, int | None]] = field(default_factory=list)
    """For each phase, when it starts and how many devices may have begun by its end."""
    dynamic: bool = False
    most: int = 0
    """Limit of a dynamic deployment; 0 means no limit."""
    configures: bool = False
    """Whether it is a configuration deployment: finishing it makes no other deployment too old."""
    begun: int = 0
    """Devices that count towards the capacity of phases or the limit."""
    phase_of: dict[int, int] = field(default_factory=dict)
    due: dict[int, datetime] = field(default_factory=dict)
    """When devices with an active row time out."""
    rows: dict[int, str] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    waiting_to_retry: set[int] = field(default_factory=set)
    """Devices that failed, have attempts left, and have not polled again."""
    paused_at: datetime | None = None
    paused_for: timedelta = timedelta(0)
    """How long it was paused before."""
    opened: int = 0
    """The number of phases that an operator has opened."""
    gated_from: datetime | None = None
    """When the schedule next looks at its gate; None: phases open by time."""
    max_failures: int | None = None
    accepted: int = 0
    """Failures that no longer stop it."""
    aborted: bool = False
    finished: bool = False
    checked: object = None
    """The model's state when it was last compared with the server."""

    @property
    def known(self) -> object:
        return dict(self.rows), self.aborted, self.finished, dict(self.phase_of)

    @property
    def open(self) -> bool:
        return not self.aborted and not self.finished

    @property
    def size(self) -> int:
        return self.most if self.dynamic else len(self.targets)

    @property
    def failures(self) -> int:
        return sum(status == "failure" for status in self.rows.values())

    def phase(self, now: datetime) -> int | None:
        """The index of the last open phase, -1 if none is open; None: it has no phases."""
        if not self.phases:
            return None
        timed = self.phases[:1] if self.gated_from else self.phases
        by_time = sum(start + self.paused_for <= (self.paused_at or now) for start, _ in timed)
        return max(by_time, self.opened) - 1

    def look(self, now: datetime) -> bool:
        """The schedule looks at the gate, which all devices of the phase before must have passed; whether it opens."""
        opened = (self.phase(now) or 0) + 1
        if self.gated_from is None or self.gated_from > now or self.paused_at or not self.open:
            return False
        self.gated_from = now + timedelta(minutes=1)
        began = [self.rows[device] for device, phase in self.phase_of.items() if phase == opened - 1]
        tried = [status for status in began if status not in {"noartifact", "decommissioned", "aborted"}]
        if opened == len(self.phases) or not tried or set(tried) - {"success", "already-installed"}:
            return False
        self.opened = opened + 1
        return True

    def note(self, device: int, status: str) -> None:
        self.rows[device] = status
        if status in FINAL:
            self.due.pop(device, None)
        done = sum(status in FINAL for status in self.rows.values())
        self.finished |= done >= self.size and not (self.dynamic and not self.most)

    def begin(self, device: int, phase: int | None, bound: int | None) -> None:
        """The device begins; if its row was deleted from its history, it is already counted."""
        if device in self.deleted:
            self.deleted.discard(device)
            return
        self.begun += bound is not None
        if phase is not None:
            self.phase_of[device] = phase

    def bound(self, phase: int | None) -> int | None:
        bounds = [None if phase is None else self.phases[phase][1], self.most or None]
        return min((each for each in bounds if each is not None), default=None)

    def shown(self, device: int) -> str:
        status = self.rows[device]
        return "aborted" if self.aborted and status not in FINAL else status


def new_world(url: str) -> World:
    """A new tenant, for a test that needs many; the caller closes the clients."""
    tenant = tenantadm.create_tenant("Acme")
    email = f"{uuid.uuid4().hex}@example.com"
    useradm.create_user(tenant.id, email, PASSWORD, by=EVERYTHING)
    http = httpx2.Client(base_url=url, timeout=30)
    token = http.post("/api/management/v1/useradm/auth/login", auth=(email, PASSWORD)).text
    api = httpx2.Client(base_url=url, timeout=30, headers={"Authorization": f"Bearer {token}"})
    return World(api, http, tenant.tenant_token)


def phases_from(
    now: datetime, batches: Mapping[int, int | None]
) -> tuple[list[Any], list[tuple[datetime, int | None]]]:
    """Phases as in the request, and as in the model, from sizes by hours until the start (None: all others)."""
    wanted: list[dict[str, Any]] = []
    phases: list[tuple[datetime, int | None]] = []
    begun = 0
    for hours, size in batches.items():
        start = now + timedelta(hours=hours)
        begun += size or 0
        wanted.append({"start_ts": clock.rfc3339(start)} | ({"batch_size_devices": size} if size else {}))
        phases.append((start, begun if size else None))
    return wanted, phases


def compare(world: World, each: Deployment, numbers: Mapping[str, int], now: datetime) -> None:
    """Compare the rows and numbers that the server shows of a deployment with the model.

    ``numbers``: the numbers of the devices in the model, by id.
    """
    shown = world.show(each.id)
    rows = {row: data["status"] for row, data in world.rows(each.id).items()}
    assert {numbers[row]: status for row, status in rows.items()} == {
        device: each.shown(device) for device in each.rows
    }
    expected: Counter[str] = Counter(rows.values())
    if not each.aborted:
        expected["pending"] += max(0, each.size - len(rows))
    statistics: dict[str, Any] = shown["statistics"]["status"]
    assert +Counter(statistics) == +expected
    assert (shown["status"] == "finished") == (not each.open)
    assert ("finished" in shown) == (not each.open)
    assert shown["device_count"] == len(rows)
    assert shown["max_devices"] == each.size
    begun = Counter(each.phase_of.values())
    assert [phase["device_count"] for phase in shown.get("phases", ())] == [begun[i] for i in range(len(each.phases))]
    is_early = each.phase(now) == -1
    assert (shown["status"] == "scheduled") == (each.open and is_early)

"""The model of a deployment for the state machine in ``lifecycle``."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx2

from chalicelib import clock
from chalicelib.deployments.rules.rollout import delay
from chalicelib.rights import EVERYTHING
from chalicelib.tenantadm import service as tenantadm
from chalicelib.useradm import service as useradm
from tests.conftest import PASSWORD
from tests.deployments.world import World

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

FINAL = {"success", "failure", "noartifact", "already-installed", "aborted", "decommissioned"}
ZONES = {"UTC": 0, "Asia/Tokyo": 540, "Asia/Kolkata": 330, "America/Bogota": -300}
"""Minutes by which some time zones are ahead of UTC, in summer and winter."""
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True)
class Pace:
    """When devices begin: the parts of ``rollout`` that do not depend on results."""

    rate: int | None = None
    """The number of devices that may begin in a minute."""
    window: tuple[int, int] | None = None
    """The hour in which the window of each day begins, and its length in hours."""
    zone: str = "UTC"
    is_own: bool = False
    """Whether the windows are in the time zone of each device."""
    jitter: int = 0
    """In minutes."""
    skips: bool = False
    """Whether devices get newer deployments while it is paused."""

    @property
    def wanted(self) -> dict[str, Any]:
        """It as in the request."""
        wanted: dict[str, Any] = {"when_paused": "skip" if self.skips else "hold", "jitter": f"PT{self.jitter}M"}
        if self.rate:
            wanted["maximum_per_minute"] = self.rate
        if self.window:
            hour, length = self.window
            wanted["windows"] = [{"start_time": f"{hour:02}:00", "duration": f"PT{length}H"}]
            wanted["time_zone"] = self.zone
            if self.is_own:
                wanted["device_time_zone"] = "geo-timezone"
        return wanted

    def opened(self, own: str | None, now: datetime) -> datetime | None:
        """When the window opened that is open now, for a device in a zone of its own; None: none is open."""
        if self.window is None:
            return datetime.min.replace(tzinfo=UTC)
        ahead = ZONES[own if self.is_own and own else self.zone] * _MINUTE
        hour, length = self.window
        for days in (0, 1):
            begun = (now + ahead).replace(hour=hour, minute=0, second=0) - days * _DAY - ahead
            if begun <= now < begun + timedelta(hours=length):
                return begun
        return None


@dataclass(frozen=True)
class Gate:
    """The share of success that opens a phase, and for how many minutes it must have been reached."""

    percent: int = 100
    soak: int = 0


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
    ids: list[str] = field(default_factory=list)
    """The ids of the devices, if it delays them."""
    dynamic: bool = False
    most: int = 0
    """Limit of a dynamic deployment; 0 means no limit."""
    configures: bool = False
    """Whether it is a configuration deployment: finishing it makes no other deployment too old."""
    pace: Pace = Pace()
    visible: datetime | None = None
    """Since when polls see it, if it delays devices."""
    in_minute: Counter[int] = field(default_factory=Counter)
    """The number of devices that began in each minute."""
    approval: str | None = None
    """The state of its approval; None: it needs none."""
    expires: datetime | None = None
    """When it ends if nobody has approved it."""
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
    """The number of phases that a gate or an operator has opened."""
    opened_at: datetime | None = None
    """When the last of them was opened."""
    gated_from: datetime | None = None
    """When the schedule next looks at its gate; None: phases open by time."""
    relative: bool = False
    """Whether its first phase starts when polls see it."""
    gate: Gate = Gate()
    reached: datetime | None = None
    """Since when the schedule has seen enough success for the next phase."""
    max_failures: int | None = None
    accepted: int = 0
    """Failures that no longer stop it."""
    aborted: bool = False
    finished: bool = False
    checked: object = None
    """The model's state when it was last compared with the server."""

    @property
    def known(self) -> object:
        return dict(self.rows), self.aborted, self.finished, dict(self.phase_of), self.approval

    @property
    def open(self) -> bool:
        return not self.aborted and not self.finished

    @property
    def waits(self) -> bool:
        """Whether it waits for approval."""
        return self.open and self.approval == "waiting"

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

    def outcome(self, device: int, own: str | None, now: datetime) -> str:
        """What a poll of a device for which it is does about it, as explanations name it. ``own``: its time zone."""
        phase = self.phase(now)
        window = self.pace.opened(own, now)
        bound = self.bound(phase)
        if self.paused_at:
            return "paused"
        if phase == -1:
            return "phase-not-open"
        if window is None:
            return "window-closed"
        if self.pace.jitter and max(window, self._begins(phase)) + self._delay(device) > now:
            return "delayed"
        if bound is not None and self.begun >= bound:
            return "phase-full"
        rate = self.pace.rate
        return "rate-reached" if rate and self.in_minute[minute(now)] >= rate else "assign"

    def holds(self, outcome: str) -> bool:
        """Whether a device with this outcome gets no newer software."""
        return outcome != "assign" and not (outcome == "paused" and self.pace.skips)

    def _begins(self, phase: int | None) -> datetime:
        """When its open phase has opened."""
        if phase is not None and self.opened == phase + 1 and self.opened_at:
            return self.opened_at
        assert self.visible is not None
        return self.visible if phase is None else max(self.visible, self.phases[phase][0] + self.paused_for)

    def _delay(self, device: int) -> timedelta:
        return delay(self.id, self.ids[device], self.pace.jitter * _MINUTE)

    def approve(self, number: int, now: datetime) -> None:
        """A second person approves it. If its first phase has no start, it starts now, and no other one before it."""
        self.approval, self.sequence, self.visible = "approved", number, now
        if self.relative:
            self.phases = [(max(start, now), upto) for start, upto in self.phases]
        self.look_later(now)

    def look_later(self, now: datetime) -> None:
        """The schedule looks at the gate in a minute, or when the first phase has started."""
        if self.gated_from:
            start = self.phases[0][0] + self.paused_for
            self.gated_from = start if start > now else now + _MINUTE

    def expire(self, now: datetime) -> None:
        """The schedule ends it if nobody has approved it in time."""
        if self.waits and self.expires is not None and self.expires <= now:
            self.approval, self.aborted = "expired", True

    def pause(self, now: datetime) -> None:
        """An operator or failures pause it."""
        self.paused_at, self.reached = now, None

    def open_next(self, opened: int, now: datetime) -> None:
        """A gate or an operator opens a phase: now ``opened`` are open."""
        self.opened, self.opened_at, self.reached = opened, now, None

    def look(self, now: datetime) -> bool:
        """The schedule looks at the gate of the next phase; whether it opens."""
        opened = (self.phase(now) or 0) + 1
        if self.gated_from is None or self.gated_from > now or self.paused_at or not self.open:
            return False
        self.gated_from = now + _MINUTE
        began = [self.rows[device] for device, phase in self.phase_of.items() if phase == opened - 1]
        tried = [status for status in began if status not in {"noartifact", "decommissioned", "aborted"}]
        succeeded = sum(status in {"success", "already-installed"} for status in tried)
        if opened == len(self.phases) or succeeded < max(1, -(-len(tried) * self.gate.percent // 100)):
            self.reached = None
            return False
        self.reached = self.reached or now
        opens = self.reached + self.gate.soak * _MINUTE
        if opens > now:
            self.gated_from = max(now + _MINUTE, min(now + 15 * _MINUTE, opens))
            return False
        self.open_next(opened + 1, now)
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


def minute(now: datetime) -> int:
    """The minute since 1970."""
    return int(now.timestamp()) // 60


def new_world(url: str) -> World:
    """A new tenant, for a test that needs many; the caller closes the clients."""
    tenant = tenantadm.create_tenant("Acme")
    api = administrator(url, tenant.id)
    return World(api, httpx2.Client(base_url=url, timeout=30), tenant.tenant_token)


def administrator(url: str, tenant: TenantId) -> httpx2.Client:
    """The client of a new administrator of a tenant."""
    email = f"{uuid.uuid4().hex}@example.com"
    useradm.create_user(tenant, email, PASSWORD, by=EVERYTHING)
    answer = httpx2.post(f"{url}/api/management/v1/useradm/auth/login", auth=(email, PASSWORD))
    assert answer.status_code == 200, answer.text
    return httpx2.Client(base_url=url, timeout=30, headers={"Authorization": f"Bearer {answer.text}"})


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
    assert (shown["status"] == "scheduled") == (each.open and (is_early or each.waits))
    ended = each.approval == "waiting" and not each.open
    assert shown.get("approval", {}).get("state") == ("ended" if ended else each.approval)

"""What the devices and operators of a soak know: every call, every acknowledged change, and what must follow from it.

A change counts as made when it was answered with 2xx. Without an answer, or with a 5xx, it may have been made or not;
then both are allowed, until a repetition is answered. :meth:`Ledger.allowed` gives the statuses that a device may have
in a deployment after all its reports.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

from tests.simulator.records import Payload

RECENT = 20
"""Calls of each device or operator that are kept, to explain a disagreement."""

MARGIN = 5.0
"""Seconds by which the times of the devices and of the server's writes may differ."""

FINAL = frozenset({"success", "failure", "noartifact", "already-installed", "aborted", "decommissioned"})

ACKNOWLEDGED, UNKNOWN, REFUSED = "acknowledged", "unknown", "refused"
"""The outcomes of a report: 2xx; no answer or 5xx; 409, since the deployment was aborted."""


@dataclass
class Report:
    """A status that a device reported, or tried to."""

    status: str
    at: float
    outcome: str = UNKNOWN


@dataclass(frozen=True)
class Instruction:
    """An update that a device was told to install."""

    at: float
    device: str
    device_type: str
    deployment: str
    artifact: str
    release: str
    types: tuple[str, ...]
    sites: frozenset[str]
    """The values of the attribute `site` that the device may have had at the time."""


@dataclass
class Deployment:
    """A deployment that operators created."""

    id: str
    name: str
    release: str
    how: str
    """How its devices were chosen."""
    targets: frozenset[str] | None = None
    """Ids; None: the devices whose ``site`` is ``site``."""
    site: str = ""
    retries: int = 0
    abort: str = ""
    """The outcome of aborting it; empty: nobody tried."""
    withdrawn: set[str] = field(default_factory=set)
    """Devices that an operator tried to take out of their deployments while it was open."""


@dataclass
class Disagreement:
    """Something that one side knows differently from the other."""

    what: str
    who: str = ""
    """The device or operator whose last calls explain it."""


class Ledger:
    """The records of one run."""

    def __init__(self, device_timeout: float = 0) -> None:
        self._begun = time.monotonic()
        self._device_timeout = device_timeout
        self._answered = self._begun
        self.calls: Counter[tuple[str, str]] = Counter()
        """By kind and outcome: ``2xx``, ``4xx``, ``5xx``, ``none``."""
        self.faults: Counter[str] = Counter()
        self.busy = False
        """Whether all devices and operators make calls."""
        self.longest_outage = 0.0
        """The longest time in seconds, while they did, without an answer to any call."""
        self.recent: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=RECENT))
        self.reports: defaultdict[tuple[str, str], list[Report]] = defaultdict(list)
        """By deployment and device."""
        self.instructions: list[Instruction] = []
        self._told: dict[tuple[str, str], float] = {}
        self.logs: dict[tuple[str, str], str] = {}
        """A text that must be in the log of a deployment and device."""
        self.uploads: dict[str, dict[str, Payload]] = {}
        """By release and device type."""
        self.deployments: dict[str, Deployment] = {}
        self.decommissioned: set[str] = set()
        self.problems: list[Disagreement] = []

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun

    def called(self, who: str, kind: str, outcome: str, detail: str) -> None:
        """Record a call."""
        moment = time.monotonic()
        self.calls[kind, outcome] += 1
        self.recent[who].append(f"{self.now:8.2f} s  {detail} -> {outcome}")
        if outcome in {"2xx", "4xx"}:
            if self.busy:
                self.longest_outage = max(self.longest_outage, moment - self._answered)
            self._answered = moment

    def problem(self, what: str, who: str = "") -> None:
        """Record something that must not happen."""
        self.problems.append(Disagreement(f"at {self.now:.2f} s: {what}", who))

    def instructed(self, instruction: Instruction) -> None:
        """Record an instruction."""
        self.instructions.append(instruction)
        self._told.setdefault((instruction.deployment, instruction.device), instruction.at)

    def reporting(self, deployment: str, device: str, status: str) -> Report:
        """A report is about to be sent; the caller sets its outcome."""
        report = Report(status, self.now)
        self.reports[deployment, device].append(report)
        return report

    def allowed(self, deployment: Deployment, device: str) -> set[str]:
        """The statuses that the server may have for a device with an instruction."""
        possible = self._after(deployment, device)
        if device in deployment.withdrawn and not possible <= FINAL:
            possible |= {"aborted"}
        if device in self.decommissioned and not possible <= FINAL:
            possible = (possible & FINAL) | {"decommissioned"} | ({"pending"} if deployment.abort else set())
        if deployment.abort:
            ended = {status if status in FINAL else "aborted" for status in possible}
            possible = ended if deployment.abort == ACKNOWLEDGED else ended | possible
        return possible

    def _after(self, deployment: Deployment, device: str) -> set[str]:
        """The possible statuses after all reports of a device, as they are stored."""
        possible, failures = {"pending"}, 0
        last = self._told.get((deployment.id, device), 0.0)
        for report in self.reports[deployment.id, device]:
            silent = self._was_silent(last, report.at, possible)
            last = report.at
            again = report.status == "failure" and failures < deployment.retries
            stored = "pending" if again else report.status
            before = possible | silent
            if report.outcome == REFUSED:
                # A device that the server had given up before the abort stays a failure.
                possible = {"aborted"} | (before & FINAL)
            elif report.outcome == UNKNOWN:
                possible = before | {stored}
            elif stored not in FINAL:
                # The server ignores progress in a deployment that has finished meanwhile.
                possible = (before & FINAL) | {stored}
                failures += report.status == "failure"
            else:
                possible = {stored}
                failures += report.status == "failure"
        return possible | self._was_silent(last, self.now, possible)

    def _was_silent(self, since: float, until: float, possible: set[str]) -> set[str]:
        """The status of a device that the server may have given up in between."""
        is_long = 0 < self._device_timeout <= until - since + MARGIN
        return {"failure"} if is_long and not possible <= FINAL else set()

"""The behaviour of a fleet's devices, and the record of their updates and reports."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field

CALLS = ("auth", "inventory", "next", "download", "status", "log")
"""The actions of a device, by their names in the tally."""

FINAL = ("success", "failure")
"""Final statuses."""


class DisagreementError(Exception):
    """The server and the devices, or what was expected of them, differ; the message says how."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How devices behave: probabilities from 0 to 1, times in seconds."""

    fail: float = 0.0
    """Updates that fail during the installation."""
    resume: float = 0.0
    """Downloads that are interrupted and resumed with `Range`."""
    cut_logs: float = 0.0
    """Logs of the newest clients that are truncated."""
    pace: float = 0.0
    """Average time of downloading and installing, besides the transfer."""
    spread: float = 0.0
    """The time over which devices begin a round."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The expected content of a download."""

    size: int
    sha256: str

    @classmethod
    def of(cls, artifact: bytes) -> Payload:
        """The payload record of an artifact."""
        return cls(len(artifact), hashlib.sha256(artifact).hexdigest())


@dataclass
class Tally:
    """The fleet's records."""

    requests: Counter[str] = field(default_factory=Counter)
    """Requests by call."""
    bytes: int = 0
    """Bytes of artifacts that were downloaded."""
    outcomes: dict[str, dict[str, str]] = field(default_factory=dict)
    """By deployment and device: the last status that the server accepted; ``pending`` after the instruction."""
    downloads: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Complete downloads by deployment and device."""
    aborted: set[str] = field(default_factory=set)
    """Deployments that are being aborted; only their reports may be refused."""
    retries: dict[str, int] = field(default_factory=dict)
    """By deployment: the number of retries, if any."""
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Attempts that failed, by deployment and device."""
    problems: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Unexpected events, by call and status (or a short text)."""
    examples: dict[tuple[str, str], str] = field(default_factory=dict)
    """The server's first answer for each of these."""

    def note(self, deployment: str, device: str, status: str) -> None:
        """Record a device's new status in a deployment, which the server accepted.

        After a failure with retries left, the device is pending again.
        """
        if status == "failure":
            self.failures[deployment, device] += 1
            if self.failures[deployment, device] <= self.retries.get(deployment, 0):
                status = "pending"
        self.outcomes.setdefault(deployment, {})[device] = status

    def problem(self, call: str, what: object, example: str = "") -> None:
        """Record an unexpected event."""
        key = (call, str(what))
        self.problems[key] += 1
        self.examples.setdefault(key, example[:300])

    def done(self, deployment: str) -> int:
        """How many devices have reported success or failure."""
        return sum(status in FINAL for status in self.outcomes.get(deployment, {}).values())

    def statistics(self, deployment: str, targets: int) -> dict[str, int]:
        """What the server's statistics of a deployment for ``targets`` devices must be, without zeros.

        An aborted deployment counts active devices as aborted, and omits those that never polled.
        """
        outcomes = self.outcomes.get(deployment, {})
        if deployment in self.aborted:
            return dict(Counter(status if status in FINAL else "aborted" for status in outcomes.values()))
        numbers = Counter(outcomes.values())
        numbers["pending"] += targets - len(outcomes)
        return {status: count for status, count in numbers.items() if count}

    def report(self) -> list[str]:
        """The problems, one per line; empty if there were none."""
        return [
            f"{call}: {what}, {count} times; the first: {self.examples[call, what]!r}"
            for (call, what), count in sorted(self.problems.items())
        ]

"""Statistics and the status of a deployment, from its counters (``docs/behaviour.md#statuses-of-deployments``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import zip_longest

import msgspec

from chalicelib.deployments.rules.statuses import ACTIVE, Status


class PhaseResults(msgspec.Struct, frozen=True):
    """How many of the devices that began in a phase have ended, by what that means for the rollout."""

    succeeded: int = 0
    failed: int = 0
    left: int = 0
    """Devices that did not try the update."""


class Counts(msgspec.Struct, frozen=True):
    """Sums of a deployment's counter items: ``rows`` devices that have polled, and the number in each status."""

    rows: int
    by_status: Mapping[Status, int]
    total_size: int
    phases: tuple[int, ...] = ()
    """Rows that began in each phase."""
    results: tuple[PhaseResults, ...] = ()
    """Their results, which only deployments with a rollout count."""

    def in_phase(self, phase: int) -> PhaseResults:
        """The results of a phase."""
        return self.results[phase] if phase < len(self.results) else PhaseResults()

    @property
    def ended(self) -> int:
        """The number of devices with a final status."""
        return sum(number for status, number in self.by_status.items() if status.final)


NONE = Counts(rows=0, by_status={}, total_size=0)
"""The counters of a deployment in which no device has begun."""


def total(parts: Iterable[Counts]) -> Counts:
    """The counters of the parts of a deployment together."""
    found = list(parts)
    return Counts(
        rows=sum(each.rows for each in found),
        by_status={status: sum(each.by_status.get(status, 0) for each in found) for status in Status},
        total_size=sum(each.total_size for each in found),
        phases=tuple(map(sum, zip_longest(*(each.phases for each in found), fillvalue=0))),
    )


_NAMES = [(status, str(status)) for status in Status]


def shown(counts: Counts, *, targets: int, aborted: bool) -> dict[str, int]:
    """Statistics in the wire format: every status, with devices that never polled as ``pending``.

    An aborted deployment has no pending devices: those with an active row count as aborted, those that never polled
    disappear from the statistics.
    """
    numbers = {name: counts.by_status.get(status, 0) for status, name in _NAMES}
    if aborted:
        for status in ACTIVE:
            numbers[Status.ABORTED] += numbers[status]
            numbers[status] = 0
    else:
        numbers[Status.PENDING] += max(0, targets - counts.rows)
    return numbers


def status(counts: Counts, *, finished: bool, scheduled: bool) -> str:
    """``scheduled`` until the first phase opens, ``pending`` until a device leaves pending, then ``inprogress``.

    ``finished`` at the end, also if it was aborted.
    """
    if finished:
        return "finished"
    if scheduled:
        return "scheduled"
    moved = any(count for state, count in counts.by_status.items() if state is not Status.PENDING)
    return "inprogress" if moved else "pending"

"""The course of a deployment, from the rows of its devices (``docs/rollouts.md#report``)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib import limits
from chalicelib.deployments.rules.statuses import SUCCEEDED, Status, effective
from chalicelib.deployments.shapes import FinishedAfter, ReportPart

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Deployment
    from chalicelib.deployments.rules.row import Row

_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400
_STEPS: Final = (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 7 * _DAY)
"""Seconds between two points of the course; beyond these, whole multiples of the last."""


class DeviceCourse(msgspec.Struct, frozen=True):
    """When one device began and ended."""

    begun: float
    """When it first reported, in seconds since 1970."""
    ended: float | None
    status: Status
    """The effective status."""
    phase: int | None
    artifact: str | None
    device_type: str | None


def start(deployment: Deployment) -> datetime:
    """When the first devices could begin."""
    plan = deployment.plan
    return max(plan.visible, plan.phases[0].start) if plan.phases else plan.visible


def course(row: Row, deployment: Deployment, now: datetime) -> DeviceCourse:
    """The course of a device. An abort does not change rows: an active one ended with its deployment.

    Rows do not say when a poll made them. A device that has not reported yet is taken to begin now.
    """
    status = effective(row.status, aborted=deployment.aborted)
    ended = None
    if status.final:
        ended = row.finished if row.status.final else deployment.finished
    return DeviceCourse(
        (row.started or ended or now).timestamp(),
        None if ended is None else ended.timestamp(),
        status,
        row.phase,
        row.artifact,
        row.device_type,
    )


def finished_after(ended: Sequence[float], since: float, devices: int) -> FinishedAfter:
    """The seconds from ``since`` until 50, 90 and 99 % of the devices had ended.

    Args:
        ended: when devices ended, the earliest first, in seconds since 1970.
        since: seconds since 1970.
        devices: the number of devices, including those that have not ended.
    """

    def after(percent: int) -> int | None:
        needed = max(1, -(-percent * devices // 100))
        return None if needed > len(ended) else max(0, round(ended[needed - 1] - since))

    return FinishedAfter(after(50), after(90), after(99))


class Point(msgspec.Struct, frozen=True):
    """How many devices had begun up to a time, and how many of these had ended in which way."""

    time: datetime
    begun: int
    succeeded: int
    failed: int
    other: int


def progress(courses: Iterable[DeviceCourse], since: float) -> tuple[int, list[Point]]:
    """The seconds between two points, and the points, whose times are multiples of that; none without devices."""
    found = list(courses)
    begun = sorted(each.begun for each in found)
    if not begun:
        return _STEPS[0], []
    succeeded, failed, other = (_ends(found, kind) for kind in (_succeeded, _failed, _other))
    first, last = min(since, begun[0]), max([begun[-1], *succeeded[-1:], *failed[-1:], *other[-1:]])
    step = _step(last - first)
    bounds = range(int(first // step) * step, -int(-last // step) * step + 1, step)
    return step, [
        Point(
            datetime.fromtimestamp(bound, UTC),
            *(bisect_right(moments, bound) for moments in (begun, succeeded, failed, other)),
        )
        for bound in bounds
    ]


def _step(seconds: float) -> int:
    most = limits.REPORT_POINTS - 2
    found = next((step for step in _STEPS if seconds <= step * most), None)
    return found or _STEPS[-1] * -int(-seconds // (_STEPS[-1] * most))


def by_phase(courses: Iterable[DeviceCourse], deployment: Deployment) -> list[ReportPart]:
    """The devices of each phase in which one has begun; from the start of the phase.

    A gate or a pause may open a phase later than it was planned: then from when its first device began.
    """
    plan = deployment.plan
    starts = {str(number): each.start.timestamp() for number, each in enumerate(plan.phases, start=1)}
    parts = _by(courses, lambda each: None if each.phase is None else str(each.phase + 1))
    if plan.rollout is not None:
        starts |= {number: min(each.begun for each in begun) for number, begun in parts.items()}
    return [_part(number, parts[number], since) for number, since in starts.items() if number in parts]


def by_artifact(courses: Iterable[DeviceCourse], since: float) -> list[ReportPart]:
    """The devices that got each artifact; those of most devices first."""
    return _most(_by(courses, lambda each: each.artifact), since)


def by_device_type(courses: Iterable[DeviceCourse], since: float) -> list[ReportPart]:
    """The devices of each type; those of most devices first."""
    return _most(_by(courses, lambda each: each.device_type), since)


def _by(courses: Iterable[DeviceCourse], key: Callable[[DeviceCourse], str | None]) -> dict[str, list[DeviceCourse]]:
    found: dict[str, list[DeviceCourse]] = {}
    for each in courses:
        name = key(each)
        if name is not None:
            found.setdefault(name, []).append(each)
    return found


def _most(parts: dict[str, list[DeviceCourse]], since: float) -> list[ReportPart]:
    names = sorted(parts, key=lambda name: (-len(parts[name]), name))[: limits.REPORT_PARTS]
    return [_part(name, parts[name], since) for name in names]


def _part(key: str, courses: list[DeviceCourse], since: float) -> ReportPart:
    def number(kind: Callable[[Status], bool]) -> int:
        return sum(1 for each in courses if kind(each.status))

    after = finished_after(ends(courses), since, len(courses))
    return ReportPart(key, len(courses), number(_succeeded), number(_failed), number(_other), after)


def ends(courses: Iterable[DeviceCourse]) -> list[float]:
    """When devices ended, the earliest first."""
    return _ends(courses, lambda _status: True)


def _ends(courses: Iterable[DeviceCourse], kind: Callable[[Status], bool]) -> list[float]:
    return sorted(each.ended for each in courses if each.ended is not None and kind(each.status))


def _succeeded(status: Status) -> bool:
    return status in SUCCEEDED


def _failed(status: Status) -> bool:
    return status is Status.FAILURE


def _other(status: Status) -> bool:
    return status.final and not _succeeded(status) and not _failed(status)

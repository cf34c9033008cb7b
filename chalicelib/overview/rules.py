"""Counts the deployments that ended on each day, and finds the most frequent values. Pure functions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chalicelib.overview.shapes import Day

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from chalicelib.deployments.shapes import Deployment

_SUCCEEDED = ("success", "already-installed")


def since(now: datetime, days: int) -> datetime:
    """The beginning of the first of the last ``days`` days, including today."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)


def ended_since(deployments: Iterable[Deployment], start: datetime) -> list[Deployment]:
    """The deployments that ended at ``start`` or later."""
    return [each for each in deployments if each.finished and datetime.fromisoformat(each.finished) >= start]


def by_day(ended: Iterable[Deployment], start: datetime, days: int) -> list[Day]:
    """Each day from ``start`` on, with the deployments that ended on it."""
    names = [f"{start + timedelta(days=number):%Y-%m-%d}" for number in range(days)]
    found = {name: Day(name, 0, 0, 0) for name in names}
    for each in ended:
        day = found.get((each.finished or "")[:10])
        if day is not None:
            numbers = each.statistics.status
            day.deployments += 1
            day.success += sum(numbers.get(status, 0) for status in _SUCCEEDED)
            day.failure += failures(each)
    return list(found.values())


def failures(deployment: Deployment) -> int:
    """The number of devices that could not install the deployment."""
    return deployment.statistics.status.get("failure", 0)


def leading(counts: Mapping[Any, int], most: int) -> tuple[list[tuple[str, int]], int]:
    """The ``most`` most frequent values as texts, and the number of all others; "" stands for no value."""
    named: dict[str, int] = {}
    for value, count in counts.items():
        name = value if isinstance(value, str) else ""
        named[name] = named.get(name, 0) + count
    ordered = sorted(named.items(), key=lambda item: (-item[1], item[0]))
    return ordered[:most], sum(count for _, count in ordered[most:])

"""Estimates when a new deployment would be done, and when its phases would open (``docs/rollouts.md#preview``).

The devices are taken to poll in equal intervals, at times that are spread evenly, and every update to succeed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib.deployments.rules import estimate_zones, windows
from chalicelib.deployments.rules.estimate_zones import LONGEST
from chalicelib.deployments.rules.phases import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.deployments.shapes.rollout import Rollout

_MINUTE: Final = timedelta(minutes=1)


class Fleet(msgspec.Struct, frozen=True):
    """The devices of a deployment."""

    polling: int
    """The number of those that poll."""
    succeeding: int
    """The number of those that may succeed; the others have no artifact that fits."""
    poll: timedelta
    """The time between two polls of a device."""
    update: timedelta
    """The time from a poll that gets the update to the report of success."""
    zones: Mapping[str, int] = {}
    """The numbers of those that poll, or of a sample of them, by the time zone of their windows."""


class Course(msgspec.Struct, frozen=True):
    """How a deployment would go."""

    opens: list[datetime | None]
    """When each of the phases opens; None: not by itself, or not within the time that is looked at."""
    done: datetime | None
    """When all devices that poll are done."""
    unreachable: int | None
    """The index of the phase that never opens, because its gate needs more successes than there are devices."""


def course(phases: Sequence[Phase], rollout: Rollout | None, fleet: Fleet, now: datetime) -> Course:
    """How a deployment that is created now would go. Without ``phases``, all devices may begin now."""
    gate = rollout.gate if rollout is not None else None
    planned = phases or (Phase(now),)
    opens: list[datetime | None] = [max(now, planned[0].start)]
    begun, unreachable, full = 0, None, None
    left = _by_zone(rollout, fleet, now)
    for index, phase in enumerate(planned):
        upto = fleet.polling if phase.upto is None else min(phase.upto, fleet.polling)
        start, devices = opens[index], upto - begun
        before = dict(left)
        full = None if start is None else _all_begun(rollout, fleet, start, devices, fleet.polling - begun, left)
        if index + 1 == len(planned):
            break
        following = max(now, planned[index + 1].start)
        if gate is None:
            opens.append(following)
            # The devices of a phase that is not full in time begin in the next one.
            if full is not None and full <= following:
                begun = upto
            else:
                left = before
            continue
        if min(devices, fleet.succeeding) < gate.minimum_devices:
            unreachable = index + 1 if unreachable is None else unreachable
            full = None
        # The schedule looks at gates every minute.
        ready = _later(full, fleet.update + gate.soak + _MINUTE)
        opens.append(None if ready is None else max(following, ready))
        begun = upto
    return Course(opens[: len(phases)], _later(full, fleet.update), unreachable)


def _by_zone(rollout: Rollout | None, fleet: Fleet, now: datetime) -> dict[str, float]:
    """The numbers of devices by the time zone of their windows; empty if there are no windows."""
    if rollout is None or not rollout.windows:
        return {}
    zone = rollout.time_zone or "UTC"
    known = estimate_zones.merged(fleet.zones or {zone: 1}, now)
    whole = sum(known.values())
    return {name: number * fleet.polling / whole for name, number in known.items()}


def _all_begun(
    rollout: Rollout | None, fleet: Fleet, start: datetime, devices: int, waiting: int, left: dict[str, float]
) -> datetime | None:
    """When ``devices`` of the ``waiting`` ones have begun that may begin from ``start`` on; None: after a year.

    ``left``: the waiting ones by time zone, from which these are taken.
    """
    if devices <= 0:
        return start
    rate = rollout.maximum_per_minute if rollout is not None else None
    needed = polling_time(devices, waiting, fleet.poll, rate)
    if needed > LONGEST:
        return None
    if rollout is None or not rollout.windows:
        return _later(start, needed if rollout is None else rollout.jitter + needed)
    if len(left) > 1:
        return estimate_zones.all_begun(rollout, fleet.poll, start, devices, left)
    for opened, closes in windows.openings(rollout.windows, next(iter(left)), start):
        # After this time, the delay of every device has passed.
        begins = _later(max(start, opened), rollout.jitter)
        if begins is None or needed <= closes - begins:
            return _later(begins, needed)
        needed -= max(timedelta(0), closes - begins)
    return None


def _later(time: datetime | None, duration: timedelta) -> datetime | None:
    """A time after another one; None if there is none, or it would be after the end of time."""
    try:
        return None if time is None else time + duration
    except OverflowError:
        return None


def polling_time(devices: int, waiting: int, poll: timedelta, rate: int | None) -> timedelta:
    """The time in which ``devices`` of ``waiting`` ones begin.

    ``rate``: the number of devices that may begin in a minute; None: no limit. A device that comes when as many have
    begun tries again at its next poll. So the rate is used up in each minute of as many poll intervals as there are
    devices for; the rest begin in the next interval.
    """
    in_interval = waiting if rate is None else rate * (poll / _MINUTE)
    intervals = waiting // in_interval
    if devices <= intervals * in_interval:
        return poll * (devices / in_interval)
    return poll * (intervals + (devices - intervals * in_interval) / (waiting - intervals * in_interval))

"""Phases of a rollout: how many devices may begin, from which time (``docs/behaviour.md#phases``).

Time opens a phase; with a gate, the success of the phase before is needed too (``gates``). Devices are served in the
order in which they poll. Capacity that earlier phases did not use is available to later ones, and the last phase takes
all remaining devices. A poll therefore needs only ``upto``: the number of devices that may have begun in this phase and
all phases before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from chalicelib import limits, times
from chalicelib.errors import BadRequest

if TYPE_CHECKING:
    from chalicelib.deployments.shapes import NewPhase, UniformPhases

_WHOLE = 100
_FIRST_YEAR = 1970


class Phase(msgspec.Struct, frozen=True, omit_defaults=True):
    """A phase as stored with its deployment; it never changes."""

    start: datetime
    percent: int | None = None
    """The requested share of the devices; for the last phase, the remaining one."""
    devices: int | None = None
    """The requested number of devices."""
    upto: int | None = None
    """Devices that may begin until the next phase opens, including those of earlier phases; None: no limit."""


def of_request(
    listed: Sequence[NewPhase] | None,
    uniform: UniformPhases | None,
    targeted: int,
    now: datetime,
    *,
    has_gate: bool = False,
) -> tuple[Phase, ...]:
    """The phases of a request, which lists them or describes equal ones; empty if it does neither.

    Raises:
        BadRequest: as :func:`of_list` and :func:`of_uniform`, or it does both.
    """
    if uniform is not None:
        if listed:
            raise BadRequest("Validating request body: provide either phases or uniform_phases")
        return of_uniform(uniform, targeted, now)
    return of_list(listed, targeted, now, has_gate=has_gate) if listed else ()


def relative(listed: Sequence[NewPhase] | None, uniform: UniformPhases | None) -> int:
    """The number of phases of a request whose start counts from the moment in which the deployment opens."""
    if uniform is not None:
        return limits.PHASES if uniform.start_ts is None else 0
    return 1 if listed and listed[0].start_ts is None else 0


def later(phases: Sequence[Phase], relative: int, delay: timedelta) -> tuple[Phase, ...]:
    """The phases of a deployment that opens some time after its creation.

    The first ``relative`` ones start that much later. The others keep their time, but none starts before the one
    before it.
    """
    moved: list[Phase] = []
    for index, phase in enumerate(phases):
        start = _milliseconds(times.after(phase.start, delay)) if index < relative else phase.start
        moved.append(replace(phase, start=max(start, moved[-1].start) if moved else start))
    return tuple(moved)


class _Batch(msgspec.Struct, frozen=True):
    percent: int | None
    devices: int | None
    start: datetime


def of_list(given: Sequence[NewPhase], targeted: int, now: datetime, *, has_gate: bool = False) -> tuple[Phase, ...]:
    """The phases in a request, for a deployment to ``targeted`` devices.

    ``has_gate``: phases open after success in the one before, so that they need no time of their own.

    Raises:
        BadRequest: sizes are mixed or missing, a phase would be empty, or they do not start one after the other.
    """
    _check_number(len(given))
    batches: list[_Batch] = []
    before: datetime | None = None
    for index, phase in enumerate(given):
        is_last = index == len(given) - 1
        if phase.start_ts is None and index > 0 and not has_gate:
            raise _refused(f"phase {index + 1} has no start_ts: only the first phase may begin at once")
        if phase.batch_size is None and phase.batch_size_devices is None and not is_last:
            raise _refused(f"phase {index + 1} has no batch_size: only the last phase may go without")
        start = (before or now) if phase.start_ts is None else _utc(phase.start_ts)
        if before is not None and (start < before or (start == before and not has_gate)):
            raise _refused(f"phase {index + 1} must start after phase {index}")
        before = start
        # Times are stored to the millisecond, so phases that are closer together open at the same time.
        batches.append(_Batch(phase.batch_size, phase.batch_size_devices, _milliseconds(start)))
    return _sized(batches, targeted)


def of_uniform(given: UniformPhases, targeted: int, now: datetime) -> tuple[Phase, ...]:
    """Equal phases, one every ``time_interval``, as many as needed.

    Raises:
        BadRequest: there is not exactly one size, a phase would be empty, or there would be too many phases.
    """
    if (given.batch_size is None) == (given.batch_size_devices is None):
        raise _refused("uniform_phases needs either batch_size or batch_size_devices")
    if given.time_interval <= timedelta(0):
        raise _refused("time_interval must be above zero")
    number = max(1, -(-targeted // given.batch_size_devices) if given.batch_size_devices else _shares(given.batch_size))
    _check_number(number)
    first = now if given.start_ts is None else _utc(given.start_ts)
    try:
        starts = [_milliseconds(first + index * given.time_interval) for index in range(number)]
    except OverflowError:
        raise _refused("the last phase would start after the end of time") from None
    sizes = [(given.batch_size, given.batch_size_devices)] * (number - 1) + [(None, None)]
    return _sized([_Batch(*size, start) for size, start in zip(sizes, starts, strict=True)], targeted)


def _shares(percent: int | None) -> int:
    return -(-_WHOLE // (percent or _WHOLE))


def _check_number(number: int) -> None:
    if number > limits.PHASES:
        raise _refused(f"too many phases (max: {limits.PHASES})")


def _utc(time: datetime) -> datetime:
    utc = times.in_utc(time)
    if utc.year < _FIRST_YEAR:
        raise _refused("start_ts is out of range")
    return utc


def _milliseconds(time: datetime) -> datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _sized(batches: list[_Batch], targeted: int) -> tuple[Phase, ...]:
    if any(each.percent for each in batches) and any(each.devices for each in batches):
        raise _refused("either batch_size or batch_size_devices may be used, not both")
    *others, last = batches
    absolute = any(each.devices for each in batches)
    shares = sum(each.percent or 0 for each in batches)
    if shares > _WHOLE:
        raise _refused(f"the batch sizes of all phases are {shares} % together, which is more than {_WHOLE}")
    phases: list[Phase] = []
    begun = 0
    for index, each in enumerate(others):
        size = each.devices if each.devices is not None else targeted * (each.percent or 0) // _WHOLE
        size = min(size, targeted - begun)
        _require_devices(size, index)
        begun += size
        phases.append(Phase(each.start, each.percent, each.devices, begun))
    rest = targeted - begun
    _require_devices(rest, len(others))
    if absolute:
        phases.append(Phase(last.start, devices=last.devices or rest))
    else:
        phases.append(Phase(last.start, percent=last.percent or _WHOLE - shares))
    return tuple(phases)


def _require_devices(size: int, index: int) -> None:
    if size < 1:
        raise BadRequest(f"Attempt to create a batch with zero devices not allowed. Batch: ({index + 1}) will be empty")


def _refused(reason: str) -> BadRequest:
    return BadRequest(f"Validating request body: Invalid deployments definition: {reason}")


def opened(phases: Sequence[Phase], now: datetime) -> int:
    """How many of the phases have opened by ``now``."""
    return sum(phase.start <= now for phase in phases)


def share(bounds: Sequence[int], part: int, sizes: Sequence[int]) -> int:
    """How many devices may begin in one part of a large deployment.

    The shares of all parts are the last bound together, and proportional to the sizes of the parts. Each step from one
    bound to the next is divided on its own: so a share never decreases from one bound to the next, and a part can't
    have more devices than its share.

    Args:
        bounds: how many devices may have begun in the deployment by the end of each phase up to now, ascending.
        part: the part.
        sizes: the sizes of all parts.
    """
    start, whole = sum(sizes[:part]), sum(sizes)
    end = start + sizes[part]
    steps = (after - before for before, after in pairwise([0, *bounds]))
    return sum(step * end // whole - step * start // whole for step in steps)

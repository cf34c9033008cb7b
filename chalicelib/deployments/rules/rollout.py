"""Safe rollouts: what protects a deployment, and how far it is (``docs/rollouts.md``)."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec.structs import replace

from chalicelib import limits, times
from chalicelib.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.deployments.rules.phases import Phase
    from chalicelib.deployments.shapes.rollout import Gate, Rollout

_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What polls need to know of a rollout. Field names are stored and short; every process reads this often."""

    o: int = 0
    """The number of phases that a gate or an operator has opened."""
    t: int = 0
    """When the last of them was opened, in seconds since 1970."""
    p: bool = False
    """Whether the deployment is paused."""
    s: int = 0
    """For how many seconds it was paused before. Its phases open as much later."""

    @property
    def shift(self) -> timedelta:
        """How much later phases open because the deployment was paused."""
        return timedelta(seconds=self.s)

    def start_of(self, phase: Phase) -> datetime:
        """When a phase may open, which is later after a pause."""
        return times.after(phase.start, self.shift)


RUNNING: Final = State()
"""The state of a deployment that nobody has paused, and whose phases open by time."""


class Pause(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Why a deployment is paused, or was aborted by its failures."""

    at: datetime
    reason: str
    by: Literal["operator", "failures"] = "operator"
    failures: int = 0
    reports: int = 0
    phase: int | None = None
    """The index of the phase in which failures were counted."""
    devices: list[str] = []
    """Some of the devices that had failed."""


class Results(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many devices have failed, and how many have reported a result, including failures."""

    failures: int = 0
    reports: int = 0


class Progress(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How far a rollout is, as stored with its deployment."""

    revision: int = 0
    """Counts changes of this; each change has the number as its condition."""
    state: State = RUNNING
    pause: Pause | None = None
    settling: bool = False
    """Whether the parts of a large deployment may not know yet whether it is paused."""
    reached: datetime | None = None
    """Since when enough devices have succeeded for the next phase to open."""
    accepted: dict[int, Results] = {}
    """The results that an operator has accepted by resuming the deployment, by index of the phase; -1: all phases."""

    def moment(self, now: datetime) -> datetime:
        """When it was paused, if it is; else ``now``. Phases do not open while a deployment is paused."""
        return self.pause.at if self.state.p and self.pause is not None else now


NEW: Final = Progress()
"""The progress of a deployment to which nothing has happened yet."""


def encode(state: State) -> str:
    """A state in the form in which all processes get it; empty for that of a new deployment."""
    return "" if state == RUNNING else msgspec.json.encode(state).decode()


def decode(text: str | None) -> State:
    """The state of which :func:`encode` has made a text."""
    return msgspec.json.decode(text, type=State) if text else RUNNING


def paused(progress: Progress, why: Pause) -> Progress:
    """The progress of a deployment that is paused."""
    return replace(progress, state=replace(progress.state, p=True), pause=why, reached=None)


def resumed(progress: Progress, accepted: dict[int, Results], now: datetime) -> Progress:
    """The progress of a paused deployment that goes on. ``accepted``: results that no longer stop it."""
    since = now if progress.pause is None else progress.pause.at
    seconds = progress.state.s + max(0, int((now - since).total_seconds()))
    return replace(progress, state=replace(progress.state, p=False, s=seconds), pause=None, accepted=accepted)


def opened(progress: Progress, phases: int, now: datetime) -> Progress:
    """The progress after a gate or an operator has opened ``phases`` phases."""
    return replace(progress, state=replace(progress.state, o=phases, t=int(now.timestamp())), reached=None)


def read(given: Rollout, phases: Sequence[Phase], *, zone: str, is_zone: bool) -> Rollout:
    """The rollout of a new deployment, complete.

    Args:
        given: the requested one.
        phases: the phases of the deployment.
        zone: the time zone that is used, which is that of the tenant if the request names none.
        is_zone: whether there is such a time zone.

    Raises:
        BadRequest: a part of it has no effect, or contradicts another one.
    """
    if given.gate is not None:
        _check_gate(given.gate, phases)
    stop = given.stop
    if stop is not None:
        if stop.max_failures is None and stop.max_failures_percent is None:
            raise _refused("stop needs max_failures, max_failures_percent, or both")
        if stop.per == "phase" and not phases:
            raise _refused('stop has per "phase", but the deployment has no phases')
    _check_windows(given)
    if not timedelta(0) <= given.jitter <= _DAY:
        raise _refused("jitter must be between PT0S and P1D")
    if given.retry_after and not given.windows:
        raise _refused("retry_after needs windows: only polls outside of a window are told when to come back")
    if not given.windows:
        return given
    if not is_zone:
        raise _refused(f"time_zone: {zone} is not a time zone; use an IANA name such as Europe/Oslo")
    return replace(given, time_zone=zone)


def _check_gate(gate: Gate, phases: Sequence[Phase]) -> None:
    if len(phases) < 2:  # the first phase has no gate
        raise _refused("gate needs at least two phases: it decides when the second and later ones open")
    first = phases[0].upto
    if first is not None and first < gate.minimum_devices:
        raise _refused(
            f"gate: minimum_devices is {gate.minimum_devices}, but phase 1 has {devices(first)}, "
            "so phase 2 would never open"
        )
    if not timedelta(0) <= gate.soak <= limits.ROLLOUT_DAYS * _DAY:
        raise _refused(f"gate: soak must be between PT0S and P{limits.ROLLOUT_DAYS}D")


def _check_windows(given: Rollout) -> None:
    if not given.windows:
        if given.time_zone is not None or given.device_time_zone is not None:
            raise _refused("time_zone and device_time_zone need windows: they say in which time zone the windows are")
        return
    for window in given.windows:
        if not _MINUTE <= window.duration <= 7 * _DAY:
            raise _refused("the duration of a window must be between PT1M and P7D")
        if window.duration <= given.jitter:
            raise _refused("jitter must be shorter than each window, or some devices would never begin")


def _refused(reason: str) -> BadRequest:
    return BadRequest(f"Validating request body: rollout: {reason}")


def devices(number: int) -> str:
    """``1 device``, ``2 devices``."""
    return "1 device" if number == 1 else f"{number} devices"


def delay(deployment: str, device_id: str, jitter: timedelta) -> timedelta:
    """How much later than it could a device begins: always the same, below ``jitter``, and evenly distributed."""
    digest = hashlib.sha256(f"{deployment}/{device_id}".encode()).digest()
    return timedelta(seconds=jitter.total_seconds() * int.from_bytes(digest[:4], "big") / 2**32)

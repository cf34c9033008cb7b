"""The wire format of safe rollouts (``docs/rollouts.md``). It is this project's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

import msgspec

from chalicelib import limits

Percent = Annotated[int, msgspec.Meta(ge=1, le=100)]
Count = Annotated[int, msgspec.Meta(ge=1, le=limits.MAX_DEVICES)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
LocalTime = Annotated[str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Zone = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.ZONE_NAME)]


class Strict(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """A part of ``rollout``. An unknown member is refused: a misspelt limit would protect nothing."""

    refuses_unknown: ClassVar[bool] = True


class Gate(Strict, frozen=True):
    """When a phase may open, besides its ``start_ts``: after enough success in the phase before."""

    success_percent: Percent = 100
    """The share of the devices that began in the phase before that must have succeeded."""
    minimum_devices: Count = 1
    """The number of devices that must have succeeded in it."""
    soak: timedelta = timedelta(0)
    """How long the share must have been reached before the phase opens: ``PT1H``."""


class Stop(Strict, frozen=True):
    """How many failures stop a deployment: a number, a share, or whichever is reached first."""

    max_failures: Count | None = None
    """The deployment stops when this many devices have failed."""
    max_failures_percent: Percent | None = None
    """The deployment stops when this share of the devices that reported a result have failed."""
    minimum_reports: Count = 1
    """The share counts from this number of results on."""
    per: Literal["deployment", "phase"] = "deployment"
    """Whether devices are counted in the whole deployment or in each phase."""
    action: Literal["pause", "abort"] = "pause"


class Window(Strict, frozen=True):
    """A time in which updates may begin: on these days from ``start_time``, for ``duration``."""

    start_time: LocalTime
    """``HH:MM`` in the time zone of the rollout."""
    duration: timedelta
    """An ISO 8601 duration: ``PT4H``."""
    days: list[Day] = []
    """The days on which it begins; none: every day."""


class Rollout(Strict, frozen=True):
    """How a deployment protects the fleet. Without it, phases open by time only and nothing stops a deployment."""

    gate: Gate | None = None
    stop: Stop | None = None
    windows: Annotated[list[Window], msgspec.Meta(max_length=limits.ROLLOUT_WINDOWS)] = []
    """Devices begin in these windows only; none: at any time."""
    time_zone: Zone | None = None
    """The time zone of the windows, an IANA name; absent: the tenant's."""
    device_time_zone: Annotated[str, msgspec.Meta(min_length=1, max_length=limits.ATTRIBUTE_NAME)] | None = None
    """The tag or inventory attribute with a device's own time zone. ``time_zone`` is for devices without one."""
    maximum_per_minute: Annotated[int, msgspec.Meta(ge=1, le=limits.ROLLOUT_RATE)] | None = None
    """The number of devices that may begin in a minute."""
    jitter: timedelta = timedelta(0)
    """Each device begins up to this much later than it could, by a delay of its own."""
    when_paused: Literal["hold", "skip"] = "hold"
    """Whether devices wait for the deployment while it is paused, or get newer deployments meanwhile."""
    retry_after: bool = False
    """Whether polls outside of a window are answered with 429 and a ``Retry-After`` until it opens."""


class RolloutAction(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /deployments/{id}/rollout``."""

    action: Literal["pause", "resume", "open_phase"]
    reason: Annotated[str, msgspec.Meta(max_length=limits.PAUSE_REASON)] = ""
    """Why it is paused."""
    phase: Annotated[int, msgspec.Meta(ge=1, le=limits.PHASES)] | None = None
    """The phase to open, from 1, which must be the next one; nothing happens if it is open already."""


class RolloutPause(msgspec.Struct, omit_defaults=True):
    """Why a deployment is paused, or was aborted by its failures."""

    at: str
    reason: str
    failures: int | None = None
    """The number of devices that had failed; only if failures stopped it."""
    reports: int | None = None
    """The number of devices that had reported a result, including failures."""
    phase: int | None = None
    """The phase in which they were counted, from 1; only with ``per`` ``phase``."""
    devices: list[str] = []
    """Some of the devices that had failed."""


class RolloutWait(msgspec.Struct, omit_defaults=True):
    """What the next phase of a deployment waits for."""

    phase: int
    """The phase that opens next, from 1."""
    reason: str
    """In words."""
    opens: str | None = None
    """When it opens, if that is known."""
    began: int | None = None
    """The number of devices that count for the gate: those that began in the phase before."""
    needed: int | None = None
    """The number of them that must succeed."""
    succeeded: int | None = None
    failed: int | None = None
    reached: str | None = None
    """Since when enough have succeeded; the phase opens when ``soak`` has passed."""


class RolloutStatus(msgspec.Struct, omit_defaults=True):
    """The rollout of a deployment: what was requested, and how far it is."""

    state: Literal["running", "paused", "stopped", "ended"]
    """``stopped``: its failures paused or aborted it; ``paused``: an operator did."""
    settings: Rollout | None = None
    """What was requested; absent for a deployment without ``rollout`` that has been paused."""
    opened: int | None = None
    """The number of open phases; only if it has phases."""
    waits: RolloutWait | None = None
    pause: RolloutPause | None = None


Decided = Literal[
    "active",
    "assign",
    "already-installed",
    "noartifact",
    "unknown",
    "later",
    "behind-another",
    "paused",
    "phase-not-open",
    "phase-full",
    "window-closed",
    "delayed",
    "rate-reached",
    "limit-reached",
    "not-a-target",
    "done",
    "waits-for-approval",
    "preparing",
]


class Explanation(msgspec.Struct, omit_defaults=True):
    """What the next poll of a device does about an open deployment, and why."""

    id: str
    name: str
    artifact_name: str
    type: str
    created: str
    decision: Decided
    reason: str
    """The reason in words."""
    opens: str | None = None
    """When that changes, if it is known."""

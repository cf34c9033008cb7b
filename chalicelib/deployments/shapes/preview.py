"""The wire format of previews (``docs/rollouts.md#preview``). It is this project's own."""

from __future__ import annotations

from typing import Literal

import msgspec


class PreviewAssumptions(msgspec.Struct, frozen=True):
    """What a preview assumes of the devices."""

    poll_interval: int = 1800
    """Seconds between two polls of a device. Mender's default (``UpdatePollIntervalSeconds``)."""
    update_time: int = 600
    """Seconds from the poll that gets the update to the report of success."""
    silent_days: int = 7
    """Days without a check-in after which a device counts as silent."""


class PreviewReason(msgspec.Struct, omit_defaults=True):
    """Why some devices get nothing, or why it is not known whether they do."""

    reason: str
    """In words."""
    devices: int
    examples: list[str]
    """The ids of some of them."""
    device_type: str | None = None
    """The device type for which the release has no artifact."""
    dependency: str | None = None
    """What the artifact depends on, and the devices do not provide."""


class PreviewGroup(msgspec.Struct, omit_defaults=True):
    """Some of the devices of a preview."""

    devices: int
    examples: list[str]
    """The ids of some of them."""
    reasons: list[PreviewReason] = []
    """Why, the most frequent first."""


class PreviewPhase(msgspec.Struct, omit_defaults=True):
    """A phase of a previewed deployment."""

    phase: int
    """Its number, from 1."""
    devices: int
    """The number of devices that may begin in it."""
    start_ts: str
    """When it opens at the earliest."""
    waits_for: str
    """When it opens, in words."""
    opens: str | None = None
    """When it opens if all devices succeed; absent: not by itself."""


class PreviewWindow(msgspec.Struct):
    """A time in which devices may begin, in the time zone of the rollout, with its offset from UTC."""

    start: str
    end: str


class PreviewDowngrades(msgspec.Struct):
    """Devices that would get older software than they have, and what the tenant does about it (``docs/trust.md``)."""

    policy: Literal["flag", "refuse"]
    devices: int
    examples: list[str]


class PreviewCost(msgspec.Struct):
    """What the updates cost on AWS in US dollars, by list prices (``docs/cost.md``)."""

    requests: float
    """The gateway, functions and tables."""
    transfer: float
    """The artifacts that are sent to devices."""


class Preview(msgspec.Struct, omit_defaults=True):
    """What a deployment would do if it were created now.

    Each device that was read is in exactly one of ``update``, ``already_installed``, ``no_artifact``, ``unknown`` and
    ``not_accepted``. If not all were read, it is not ``complete``: then these and the other groups are of
    ``devices_read`` of ``devices``, while ``bytes``, ``cost`` and ``done_at`` are estimated for all.
    """

    devices: int
    """The number of devices that the deployment would be for; of a dynamic one, those that match its filter now."""
    devices_read: int
    complete: bool
    update: PreviewGroup
    """Devices that would get the update."""
    already_installed: PreviewGroup
    no_artifact: PreviewGroup
    """Devices for which no artifact of the release fits."""
    unknown: PreviewGroup
    """Devices whose inventory does not show whether an artifact fits."""
    not_accepted: PreviewGroup
    """Listed devices that do not exist or are not accepted, so that they cannot poll."""
    silent: PreviewGroup
    """Accepted devices without a check-in for ``silent_days``."""
    bytes: int
    """The sizes of the artifacts of all devices that would get the update, together."""
    cost: PreviewCost
    assumptions: PreviewAssumptions
    waits_for_others: PreviewGroup | None = None
    """Accepted devices that get an older deployment first, which is unfinished; absent for more than 1,000 devices."""
    max_devices: int | None = None
    """The number of devices after which a dynamic deployment ends; ``bytes``, ``cost`` and ``done_at`` are of these."""
    phases: list[PreviewPhase] = []
    windows: list[PreviewWindow] = []
    """The next windows in which devices may begin; the first one may be open now."""
    time_zone: str | None = None
    """The time zone of the windows."""
    maximum_per_minute: int | None = None
    """The number of devices that may begin in a minute."""
    downgrades: PreviewDowngrades | None = None
    """Absent if the tenant allows downgrades."""
    approval_expires: str | None = None
    """Until when a second person may approve it; absent if it needs no approval. All other times are those of an
    approval at once."""
    done_at: str | None = None
    """When all devices that poll would be done, if all succeed; absent if that is not known."""
    warnings: list[str] = []
    """In words: what keeps the deployment from being done, or from being stopped by failures."""

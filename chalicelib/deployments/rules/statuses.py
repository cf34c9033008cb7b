"""Statuses of a device in a deployment (``docs/behaviour.md#device-statuses``).

Their values are wire format and stored data, so they must not change.
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The status of a device in a deployment."""

    ABORTED = "aborted"
    ALREADY_INSTALLED = "already-installed"
    DECOMMISSIONED = "decommissioned"
    DOWNLOADING = "downloading"
    FAILURE = "failure"
    INSTALLING = "installing"
    NOARTIFACT = "noartifact"
    PAUSE_BEFORE_COMMITTING = "pause_before_committing"
    PAUSE_BEFORE_INSTALLING = "pause_before_installing"
    PAUSE_BEFORE_REBOOTING = "pause_before_rebooting"
    PENDING = "pending"
    REBOOTING = "rebooting"
    SUCCESS = "success"

    @property
    def final(self) -> bool:
        """Whether the status is final."""
        return self in FINAL


SUCCEEDED = frozenset({Status.SUCCESS, Status.ALREADY_INSTALLED})
"""The statuses of devices that have the software in the end."""

PAUSED = (Status.PAUSE_BEFORE_INSTALLING, Status.PAUSE_BEFORE_COMMITTING, Status.PAUSE_BEFORE_REBOOTING)

ORDER = (
    Status.FAILURE,
    Status.ABORTED,
    *PAUSED,
    Status.DOWNLOADING,
    Status.INSTALLING,
    Status.REBOOTING,
    Status.PENDING,
    Status.SUCCESS,
    Status.NOARTIFACT,
    Status.ALREADY_INSTALLED,
    Status.DECOMMISSIONED,
)
"""The order of lists of devices. Stored in sort keys, so only additions at the end are possible."""

RANK = {status: index for index, status in enumerate(ORDER)}

FINAL = frozenset(
    {
        Status.ABORTED,
        Status.ALREADY_INSTALLED,
        Status.DECOMMISSIONED,
        Status.FAILURE,
        Status.NOARTIFACT,
        Status.SUCCESS,
    }
)
ACTIVE = frozenset(Status) - FINAL

REPORTABLE = frozenset(
    {
        Status.ALREADY_INSTALLED,
        Status.DOWNLOADING,
        Status.FAILURE,
        Status.INSTALLING,
        Status.REBOOTING,
        Status.SUCCESS,
        *PAUSED,
    }
)
"""The statuses that a device may report; any other one is a 400."""

WITHDRAWN = {Status.ABORTED: "Deployment aborted", Status.DECOMMISSIONED: "Device decommissioned"}
"""Statuses after which a device may no longer report: its next report is a 409 with this text, which tells the client
to stop."""


def effective(stored: Status, *, aborted: bool) -> Status:
    """The status of a row. An abort changes no rows, so an active row of an aborted deployment counts as aborted."""
    return Status.ABORTED if aborted and stored not in FINAL else stored


def stored_for(wanted: frozenset[Status], *, aborted: bool) -> frozenset[Status]:
    """The stored statuses whose effective status is among ``wanted``."""
    return frozenset(status for status in Status if effective(status, aborted=aborted) in wanted)


def parse_filter(name: str) -> frozenset[Status] | None:
    """The statuses of a list filter: one status, or ``pause``, ``active``, ``finished``; None if unknown."""
    groups = {"pause": frozenset(PAUSED), "active": ACTIVE, "finished": FINAL}
    if name in groups:
        return groups[name]
    try:
        return frozenset({Status(name)})
    except ValueError:
        return None

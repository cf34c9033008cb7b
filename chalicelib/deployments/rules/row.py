"""A device in a deployment."""

from __future__ import annotations

from datetime import datetime

import msgspec

from chalicelib.deployments.rules.statuses import Status


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A device's row as it is stored. Each field is the attribute of the same name in ``tables.items.RowItem``."""

    deployment_id: str
    device_id: str
    status: Status
    sequence: int
    """The deployment's sequence number."""
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    deleted: datetime | None = None
    """When it was deleted from the device's history."""
    substate: str | None = None
    log: bool = False
    """Whether the device has sent a log."""
    error: str | None = None
    """The first error of its log."""
    artifact: str | None = None
    attempts: int = 1
    phase: int | None = None
    """Index of the phase in which it began."""
    device_type: str | None = None
    """The device's type when it began."""
    downgrade: str | None = None
    """The software that is, or would have been, older than what the device had; only if the tenant asks for it."""
    due: str | None = None
    """When the device's silence becomes too long, as a sort key of the index ``due``; None: never."""


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a row's details; what is not given stays as it is."""

    started: datetime | None = None
    """Stored only if the row has no such time."""
    finished: datetime | None = None
    substate: str | None = None
    attempts: int | None = None
    forget_substate: bool = False
    forget_error: bool = False
    due: datetime | None = None
    """When the device's silence becomes too long."""
    never_due: bool = False
    """Whether the schedule no longer has to check the row."""


NOTHING = Edit()
"""A change of nothing."""

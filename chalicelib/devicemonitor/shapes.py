"""The wire format of the device monitor (API reference, "Device monitor").

Requests forbid unknown members for the reason in ``deployments.shapes``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec

from chalicelib import limits


class Level(StrEnum):
    """The level of an alert. The values are the API's."""

    OK = "OK"
    CRITICAL = "CRITICAL"


Name = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.ALERT_NAME)]
Text = Annotated[str, msgspec.Meta(max_length=limits.ALERT_NAME)]


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line of a log."""

    line_number: int
    data: str


Lines = Annotated[list[Line], msgspec.Meta(max_length=limits.ALERT_LINES)]


class Details(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Details of a subject."""

    description: str | None = None
    lines_before: Lines | None = None
    lines_after: Lines | None = None
    line_matching: Line | None = None
    log_pattern: str | None = None
    log_file_path: str | None = None


class Subject(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The subject of an alert."""

    name: Name
    type: Text
    status: Text
    details: Details | None = None


class NewAlert(msgspec.Struct, forbid_unknown_fields=True):
    """An alert as a device sends it."""

    name: Name
    level: Level
    subject: Subject
    timestamp: str


class Alert(msgspec.Struct):
    """An alert as operators see it."""

    id: str
    device_id: str
    name: str
    level: Level
    subject: Subject
    timestamp: str


NewAlerts = Annotated[list[NewAlert], msgspec.Meta(min_length=1, max_length=limits.ALERTS)]


class Check(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A check of a device. The members of its type are in the member named after it."""

    name: Name
    type: Text
    status: Text
    log: dict[str, Any] | None = None
    service: dict[str, Any] | None = None
    dbus: dict[str, Any] | None = None


Checks = Annotated[list[Check], msgspec.Meta(min_length=1, max_length=limits.CHECKS)]


class ChannelStatus(msgspec.Struct, forbid_unknown_fields=True):
    """``.../channel/alerts/{name}/status``: whether all users get mails by this channel."""

    enabled: bool

"""Use cases of the device monitor, by topic; other features import them from here."""

from chalicelib.devicemonitor.service.notices import Digest, Notice, tick, write_digest, write_notice
from chalicelib.devicemonitor.service.reporting import (
    alerts,
    checks,
    device_gone,
    erase,
    latest,
    report,
    report_checks,
    set_channel,
)

__all__ = [
    "Digest",
    "Notice",
    "alerts",
    "checks",
    "device_gone",
    "erase",
    "latest",
    "report",
    "report_checks",
    "set_channel",
    "tick",
    "write_digest",
    "write_notice",
]

"""Use cases of the device monitor, by topic; other features import them from here."""

from chalicelib.devicemonitor.service.notices import Notice, write_notice
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
    "Notice",
    "alerts",
    "checks",
    "device_gone",
    "erase",
    "latest",
    "report",
    "report_checks",
    "set_channel",
    "write_notice",
]

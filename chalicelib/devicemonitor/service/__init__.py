"""The device monitor for other features: everything that they may import."""

from chalicelib.devicemonitor.service.notices import Digest, Notice, tick, write_digest, write_notice
from chalicelib.devicemonitor.service.reporting import (
    alerts,
    channel,
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
    "channel",
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

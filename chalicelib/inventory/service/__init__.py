"""Use cases of the inventory, by topic; other features import them from here."""

from chalicelib.inventory.service.lifecycle import (
    checked_in,
    device_created,
    device_gone,
    status_changed,
)
from chalicelib.inventory.service.reports import report

__all__ = ["checked_in", "device_created", "device_gone", "report", "status_changed"]

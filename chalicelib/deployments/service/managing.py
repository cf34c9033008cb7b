"""Deployments for users, the schedule, and other features."""

from __future__ import annotations

from chalicelib.deployments.service.devices.reporting import read_log
from chalicelib.deployments.service.operators.approving import decide
from chalicelib.deployments.service.operators.creating import (
    abort,
    change_control_map,
    draft,
    draft_for_filter,
    draft_for_group,
)
from chalicelib.deployments.service.operators.details import (
    devices,
    devices_page,
    failed_for,
    history,
    numbers,
    numbers_of_many,
    outcomes,
    show,
    targets,
)
from chalicelib.deployments.service.operators.drafts import Draft, save
from chalicelib.deployments.service.operators.explaining import explain
from chalicelib.deployments.service.operators.leaving import abort_device, device_gone, forget_history
from chalicelib.deployments.service.operators.listing import Named, Wanted, delete_releases, list_deployments
from chalicelib.deployments.service.operators.previewing import preview
from chalicelib.deployments.service.operators.reach import is_within
from chalicelib.deployments.service.operators.reports import export, report, report_table
from chalicelib.deployments.service.operators.retrying import draft as draft_retry
from chalicelib.deployments.service.operators.steering import steer
from chalicelib.deployments.service.operators.upcoming import upcoming
from chalicelib.deployments.service.schedule.running import tick
from chalicelib.deployments.tables.deployments import read_totals as totals
from chalicelib.deployments.tables.erasing import erase

__all__ = [
    "Draft",
    "Named",
    "Wanted",
    "abort",
    "abort_device",
    "change_control_map",
    "decide",
    "delete_releases",
    "device_gone",
    "devices",
    "devices_page",
    "draft",
    "draft_for_filter",
    "draft_for_group",
    "draft_retry",
    "erase",
    "explain",
    "export",
    "failed_for",
    "forget_history",
    "history",
    "is_within",
    "list_deployments",
    "numbers",
    "numbers_of_many",
    "outcomes",
    "preview",
    "read_log",
    "report",
    "report_table",
    "save",
    "show",
    "steer",
    "targets",
    "tick",
    "totals",
    "upcoming",
]

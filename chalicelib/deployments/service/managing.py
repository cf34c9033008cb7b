"""Deployments for users, the schedule, and other features."""

from __future__ import annotations

from chalicelib.deployments.service.devices.reporting import read_log
from chalicelib.deployments.service.operators.creating import (
    abort,
    change_control_map,
    create,
    create_for_filter,
    create_for_group,
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
from chalicelib.deployments.service.operators.explaining import explain
from chalicelib.deployments.service.operators.leaving import abort_device, device_gone, forget_history
from chalicelib.deployments.service.operators.listing import Named, Wanted, delete_releases, list_deployments
from chalicelib.deployments.service.operators.reach import is_within
from chalicelib.deployments.service.operators.reports import export, report, report_table
from chalicelib.deployments.service.operators.retrying import retry
from chalicelib.deployments.service.operators.steering import steer
from chalicelib.deployments.service.operators.upcoming import upcoming
from chalicelib.deployments.service.schedule.running import tick
from chalicelib.deployments.tables.deployments import read_totals as totals
from chalicelib.deployments.tables.erasing import erase

__all__ = [
    "Named",
    "Wanted",
    "abort",
    "abort_device",
    "change_control_map",
    "create",
    "create_for_filter",
    "create_for_group",
    "delete_releases",
    "device_gone",
    "devices",
    "devices_page",
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
    "read_log",
    "report",
    "report_table",
    "retry",
    "show",
    "steer",
    "targets",
    "tick",
    "totals",
    "upcoming",
]

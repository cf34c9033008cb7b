"""Deployments for users, the schedule, and other features."""

from __future__ import annotations

from chalicelib.deployments.service.creating import (
    abort,
    change_control_map,
    create,
    create_for_filter,
    create_for_group,
)
from chalicelib.deployments.service.details import (
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
from chalicelib.deployments.service.leaving import abort_device, device_gone, erase, forget_history
from chalicelib.deployments.service.listing import Named, Wanted, delete_releases, list_deployments
from chalicelib.deployments.service.reach import is_within
from chalicelib.deployments.service.reporting import read_log
from chalicelib.deployments.service.schedule import tick
from chalicelib.deployments.service.upcoming import upcoming
from chalicelib.deployments.tables import read_totals as totals

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
    "failed_for",
    "forget_history",
    "history",
    "is_within",
    "list_deployments",
    "numbers",
    "numbers_of_many",
    "outcomes",
    "read_log",
    "show",
    "targets",
    "tick",
    "totals",
    "upcoming",
]

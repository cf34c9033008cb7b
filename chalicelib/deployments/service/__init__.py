"""Use cases of deployments. Other features and the routes import only this; each topic has a module of its own."""

from __future__ import annotations

from chalicelib.deployments.service.configuring import configuration_artifact, deploy_configuration, new_id
from chalicelib.deployments.service.creating import abort, create, create_for_group
from chalicelib.deployments.service.leaving import abort_device, device_gone, forget, forget_history
from chalicelib.deployments.service.listing import (
    Wanted,
    devices,
    devices_page,
    history,
    list_deployments,
    numbers,
    numbers_of_many,
    open_by_release,
    show,
    targets,
)
from chalicelib.deployments.service.polling import next_update
from chalicelib.deployments.service.reach import is_within
from chalicelib.deployments.service.reporting import read_log, report, store_log
from chalicelib.deployments.service.schedule import tick

__all__ = [
    "Wanted",
    "abort",
    "abort_device",
    "configuration_artifact",
    "create",
    "create_for_group",
    "deploy_configuration",
    "device_gone",
    "devices",
    "devices_page",
    "forget",
    "forget_history",
    "history",
    "is_within",
    "list_deployments",
    "new_id",
    "next_update",
    "numbers",
    "numbers_of_many",
    "open_by_release",
    "read_log",
    "report",
    "show",
    "store_log",
    "targets",
    "tick",
]

"""Deployments for other features and the routes, which import only this package. Calls of devices load no more.

``managing`` has the operations of users, of the schedule, and of other features.
"""

from __future__ import annotations

from chalicelib.deployments.service.devices.configuring import configuration_artifact, deploy_configuration, new_id
from chalicelib.deployments.service.devices.polling import control_map, next_update
from chalicelib.deployments.service.devices.reporting import complete_log, report, store_log

__all__ = [
    "complete_log",
    "configuration_artifact",
    "control_map",
    "deploy_configuration",
    "new_id",
    "next_update",
    "report",
    "store_log",
]

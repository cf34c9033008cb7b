"""Use cases of deployments; other features and the routes import only this package. A device's calls load no more.

What users do, what the schedule does, and what other features ask is in ``managing``.
"""

from __future__ import annotations

from chalicelib.deployments.service.configuring import configuration_artifact, deploy_configuration, new_id
from chalicelib.deployments.service.polling import control_map, next_update
from chalicelib.deployments.service.reporting import complete_log, report, store_log

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

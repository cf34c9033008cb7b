"""Deployments for other features and the routes, which import only this package.

``managing`` has the operations of users, of the schedule, and of other features. What devices call is here, and each
function is imported when it is first used, so a poll does not load what reports need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chalicelib.deployments.service.devices.configuring import (
        configuration_artifact,
        deploy_configuration,
        new_id,
    )
    from chalicelib.deployments.service.devices.polling import next_update
    from chalicelib.deployments.service.devices.reporting import complete_log, report, store_log
    from chalicelib.deployments.service.devices.serving import control_map

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
_MODULES = {
    "complete_log": "reporting",
    "configuration_artifact": "configuring",
    "control_map": "serving",
    "deploy_configuration": "configuring",
    "new_id": "configuring",
    "next_update": "polling",
    "report": "reporting",
    "store_log": "reporting",
}


def __getattr__(name: str) -> Any:
    """Import a function at its first use (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.devices.{_MODULES[name]}"), name)
    globals()[name] = found
    return found

"""The schedule: once a minute, each feature records and cleans up what is due.

No answer to a device or operator depends on it, so it may run twice, late, or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint, Rate

from chalicelib import clock
from chalicelib.observability import Observed, logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chalice.app import CloudWatchEvent

bp = Blueprint(__name__)


def _features() -> tuple[Callable[[datetime], None], ...]:
    # Imported here because calls of the API do not need it.
    from chalicelib.artifacts import service as artifacts
    from chalicelib.deployments.service import managing as deployments
    from chalicelib.deviceconnect import service as deviceconnect
    from chalicelib.devicemonitor import service as devicemonitor
    from chalicelib.integrations.service import delivering as integrations
    from chalicelib.inventory.service import building as inventory
    from chalicelib.tenantadm import service as tenantadm

    return (
        artifacts.tick,
        deployments.tick,
        deviceconnect.tick,
        devicemonitor.tick,
        integrations.tick,
        inventory.tick,
        tenantadm.tick,
    )


@bp.schedule(Rate(1, unit=Rate.MINUTES), name="tick")
def on_tick(event: CloudWatchEvent) -> None:
    """Run every feature's ``tick(now)``. A failure of one does not keep the others from running."""
    with Observed(str(event.to_dict()["id"]), event.context):
        _tick()


def _tick() -> None:
    now = clock.now()
    failed = []
    for tick in _features():
        try:
            tick(now)
        except Exception as error:  # noqa: BLE001  # raised again below, so that the alarm on errors sees it
            logger.exception("a tick failed")
            failed.append(error)
    if failed:
        raise ExceptionGroup("ticks failed", failed)

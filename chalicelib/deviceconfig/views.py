"""Configurations as the API returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.clock import rfc3339
from chalicelib.deviceconfig.shapes import DeviceConfiguration

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deviceconfig.tables import ConfigurationItem


def configuration(device_id: str, item: ConfigurationItem, since: datetime | None) -> DeviceConfiguration:
    """A device's configuration, which exists ``since``."""
    return DeviceConfiguration(
        id=device_id,
        configured=item.configured,
        reported=item.reported,
        deployment_id=item.deployment,
        updated_ts=_time(since),
        reported_ts=_time(item.reported_at),
    )


def _time(time: datetime | None) -> str | None:
    return None if time is None else rfc3339(time)

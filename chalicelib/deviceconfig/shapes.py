"""The wire format of device configuration (API reference, "Device configure").

Requests forbid unknown members for the reason in ``deployments.shapes``.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from chalicelib import limits

Text = Annotated[str, msgspec.Meta(max_length=limits.CONFIGURATION_TEXT)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.CONFIGURATION_TEXT)]
Configuration = Annotated[dict[Key, Text], msgspec.Meta(max_length=limits.CONFIGURATION_KEYS)]
"""All values are strings, because scripts on devices read them."""


class NewConfigurationDeployment(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST .../deploy``."""

    retries: Annotated[int, msgspec.Meta(ge=0, le=limits.RETRIES_MAX)] = 0
    update_control_map: dict[str, Any] | None = None


class DeploymentMade(msgspec.Struct):
    """Answer of ``POST .../deploy``."""

    deployment_id: str


class DeviceConfiguration(msgspec.Struct, omit_defaults=True):
    """A device's configuration. ``deployment_id`` is that of the newest configuration deployment."""

    id: str
    configured: dict[str, str]
    reported: dict[str, str]
    deployment_id: str | None = None
    updated_ts: str | None = None
    reported_ts: str | None = None

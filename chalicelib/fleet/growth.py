"""Makes a tenant large: from then on, its lists, changes and counts are stored in parts (``fleet.parts``)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chalicelib import clock
from chalicelib.fleet import control, control_items, schema
from chalicelib.fleet.parts import LARGE, LARGE_FROM
from chalicelib.observability import logger

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

_VERSION: Final = 3
"""The version of the stored data from which all code that may run knows parts."""
_NOTICE: Final = timedelta(minutes=1)
"""Longer than any process caches a control item, so that all read the parts before the first one writes to them."""


def consider(tenant: TenantId, devices: int) -> bool:
    """Make a tenant with this number of devices large if it is time; returns whether it became large now."""
    if devices < LARGE_FROM or control.get(tenant).parts > 1:
        return False
    if not schema.is_at_least(_VERSION):
        return False
    done = control_items.divide(tenant, LARGE, clock.now() + _NOTICE)
    if done:
        logger.info("tenant became large", extra={"tenant": tenant, "devices": devices})
    return done

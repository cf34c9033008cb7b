"""Makes a tenant large at once, as no process has it cached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.fleet import control, control_items, parts
from chalicelib.fleet.tables import ControlItem

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def grow(tenant: TenantId, count: int = parts.LARGE) -> None:
    """Make a tenant large; ``count``: its number of parts."""
    control_items.ref(tenant).update([ControlItem.parts.set(count)])
    control.forget(tenant)

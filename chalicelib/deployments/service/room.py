"""Caches which deployments have no capacity at present, so that finding out costs nothing.

The number of devices that have begun never decreases, so a limit that was reached stays reached. Only the next phase
raises it, and then a different limit is looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.cache import Store

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

_reached: Store[tuple[str, str], int] = Store()


def is_full(tenant: TenantId, deployment: str, bound: int | None) -> bool:
    """Whether ``bound`` devices are known to have begun in a deployment."""
    return bound is not None and (_reached.get((tenant, deployment)) or 0) >= bound


def note_full(tenant: TenantId, deployment: str, bound: int | None) -> None:
    """Remember that ``bound`` devices have begun."""
    if bound is not None and not is_full(tenant, deployment, bound):
        _reached.put((tenant, deployment), bound)

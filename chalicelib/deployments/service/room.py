"""Caches which deployments have no capacity at present, so that finding out costs nothing.

The number of devices that have begun never decreases, so a limit that was reached stays reached. Only the next phase
raises it, and then a different limit is looked up.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

_REMEMBERED = 10_000
_reached: dict[tuple[str, str], int] = {}
_lock = Lock()


def is_full(tenant: TenantId, deployment: str, bound: int | None) -> bool:
    """Whether ``bound`` devices are known to have begun in a deployment."""
    return bound is not None and _reached.get((tenant, deployment), 0) >= bound


def note_full(tenant: TenantId, deployment: str, bound: int | None) -> None:
    """Remember that ``bound`` devices have begun."""
    if bound is None:
        return
    with _lock:
        if len(_reached) >= _REMEMBERED:
            _reached.clear()
        _reached[tenant, deployment] = max(bound, _reached.get((tenant, deployment), 0))

"""Which deployments are known to take no more devices for now: kept by warm processes, so that asking costs nothing.

Who has begun is never taken back, so a bound that was reached once stays reached; only time moves the bound, by
opening the next phase, and then it is another bound that is asked for.
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
    """Whether it is known that ``bound`` devices have begun in a deployment."""
    return bound is not None and _reached.get((tenant, deployment), 0) >= bound


def note_full(tenant: TenantId, deployment: str, bound: int | None) -> None:
    """Remember that ``bound`` devices have begun."""
    if bound is None:
        return
    with _lock:
        if len(_reached) >= _REMEMBERED:
            _reached.clear()
        _reached[tenant, deployment] = max(bound, _reached.get((tenant, deployment), 0))

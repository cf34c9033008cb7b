"""Which deployments are known to take no more devices for now: kept by warm processes, so that asking costs nothing.

Who has begun is never taken back, so a bound that was reached once stays reached; only time moves the bound, by
opening the next phase, and that is asked for here with the new bound.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.deployments.service.plans import Plan
    from chalicelib.storage.keys import TenantId

_REMEMBERED = 10_000
_reached: dict[tuple[str, str], int] = {}
_lock = Lock()


def is_full(tenant: TenantId, plan: Plan, phase: int | None) -> bool:
    """Whether it is known that nobody can begin in this phase any more."""
    most = plan.room(phase)
    return most is not None and _reached.get((tenant, plan.id), 0) >= most


def note_full(tenant: TenantId, plan: Plan, phase: int | None) -> None:
    """Remember that the room of a phase is used up."""
    most = plan.room(phase)
    if most is None:
        return
    with _lock:
        if len(_reached) >= _REMEMBERED:
            _reached.clear()
        _reached[tenant, plan.id] = max(most, _reached.get((tenant, plan.id), 0))

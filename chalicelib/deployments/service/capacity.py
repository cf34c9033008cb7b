"""How many devices may begin: phases and ``max_devices`` limit it.

A deployment counts the devices that have begun in one item, which each device that begins would have to change. The
parts of a large deployment therefore have a share each, and count on their own. A part that has used its share borrows
from the one that has most left, which happens only towards the end of a phase, because ids are random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.cache import Store
from chalicelib.deployments.tables import counters

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.tables.counters import Loan
    from chalicelib.storage.keys import TenantId


class Full(Exception):  # not an error: the expected end of a race for the last capacity
    """The deployment has no capacity for another device at present; nothing was written."""


def borrow(tenant: TenantId, plan: Plan, upto: int) -> Loan:
    """Capacity from another part of a large deployment of which ``upto`` devices may have begun.

    Raises:
        Full: no part has any left.
    """
    loan = counters.find_loan(tenant, plan, upto)
    if loan is None:
        raise Full
    return loan


_reached: Store[tuple[str, str], int] = Store()


def is_full(tenant: TenantId, deployment: str, upto: int | None) -> bool:
    """Whether ``upto`` devices are known to have begun in a deployment.

    Their number never decreases, so a limit that was reached stays reached. Only the next phase raises it, and then a
    different limit is looked up.
    """
    return upto is not None and (_reached.get((tenant, deployment)) or 0) >= upto


def note_full(tenant: TenantId, deployment: str, upto: int | None) -> None:
    """Remember that ``upto`` devices have begun."""
    if upto is not None and not is_full(tenant, deployment, upto):
        _reached.put((tenant, deployment), upto)

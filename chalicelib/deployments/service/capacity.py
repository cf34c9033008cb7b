"""How many devices may begin: phases and ``max_devices`` limit it.

A deployment counts the devices that have begun in one item, which each device that begins would have to change. The
parts of a large deployment therefore have a share each, and count on their own. A part that has used its share borrows
from the one that has most left, which happens only towards the end of a phase, because ids are random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.cache import Cache, Store
from chalicelib.deployments.tables import counters
from chalicelib.deployments.tables.counters import Loan
from chalicelib.errors import Unavailable

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.storage.keys import TenantId

_READS: Final = 12
"""How often all parts are read until two reads in a row agree that none has capacity left."""


class Full(Exception):  # not an error: the expected end of a race for the last capacity
    """The deployment has no capacity for another device at present; nothing was written."""


def borrow(tenant: TenantId, plan: Plan, part: int, upto: int) -> Loan | None:
    """Capacity for a part of a large deployment, if ``upto`` devices may begin: half of what the part with most has.

    None: the part has capacity of its own again, because another device has borrowed more than it needed.

    Raises:
        Full: no part has any left.
        Unavailable: the parts changed too often meanwhile.
    """
    before: dict[int, int] | None = None
    for _ in range(_READS):
        begun = counters.begun_by_part(tenant, plan)
        left = [plan.share(each, upto) - begun.get(each, 0) for each in range(plan.parts)]
        if left[part] > 0:
            return None
        donor = left.index(max(left))
        if left[donor] > 0:
            return Loan(-(-left[donor] // 2), donor, creates=donor not in begun)
        # Capacity that moves from one part to another one between their reads is in neither.
        if begun == before:
            raise Full
        before = begun
    raise Unavailable(retry_after=1)


_reached: Store[tuple[str, str], int] = Store()


def is_full(tenant: TenantId, deployment: str, upto: int | None) -> bool:
    """Whether ``upto`` devices are known to have begun in a deployment.

    Their number never decreases, so a limit that was reached stays reached. Only the next phase raises it, and then a
    different limit is looked up.
    """
    return upto is not None and (_reached.get((tenant, deployment)) or 0) >= upto


_minutes: Store[tuple[str, str, int], int] = Store()
"""The last minute in which no more devices may begin, by tenant, deployment and share of the minute."""


_begun: Cache[tuple[str, str], int] = Cache()
"""How many devices have begun in deployments that keep devices waiting, as it was some seconds ago."""


def has_limit_reached(tenant: TenantId, plan: Plan) -> bool:
    """Whether as many devices have begun as the limit of a dynamic deployment, as a process sees every few seconds."""
    begun = _begun.get((tenant, plan.id), lambda: counters.read_begun(tenant, [plan]).get(plan.id, 0))
    if plan.most is None or begun < plan.most:
        return False
    note_full(tenant, plan.id, plan.most)
    return True


def note_begun(tenant: TenantId, deployment: str) -> None:
    """Look again, because a device has begun."""
    _begun.forget((tenant, deployment))


def is_rate_reached(tenant: TenantId, deployment: str, share: int, minute: int) -> bool:
    """Whether it is known that no more devices may begin in this minute."""
    return _minutes.get((tenant, deployment, share)) == minute


def note_rate(tenant: TenantId, deployment: str, share: int, minute: int) -> None:
    """Remember that no more devices may begin in this minute."""
    _minutes.put((tenant, deployment, share), minute)


def note_full(tenant: TenantId, deployment: str, upto: int | None) -> None:
    """Remember that ``upto`` devices have begun."""
    if upto is not None and not is_full(tenant, deployment, upto):
        _reached.put((tenant, deployment), upto)

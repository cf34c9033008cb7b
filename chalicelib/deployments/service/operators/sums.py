"""The sums of the counter items of deployments.

A large deployment has 256 counter items. Once it has ended, their sums are kept in the deployment, so that a list of
such deployments does not read all of them. A correction drops the kept sums in its transaction, and counts itself, so
sums that were read before it are not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.deployments.rules.statistics import NONE, Counts
from chalicelib.deployments.tables import counters, deployments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from chalicelib.deployments.rules.deployment import Deployment, Plan
    from chalicelib.storage.keys import TenantId


def read(tenant: TenantId, found: Iterable[Deployment], *, recent: bool = False) -> dict[str, Counts]:
    """The sums of each deployment, by id; as recent as the deployments are, or eventually consistent with ``recent``.

    100 counter items per round trip.
    """
    given = list(found)
    counts = counters.read(tenant, _unknown(given), recent=recent)
    return _completed(tenant, given, counts)


def read_with_totals(tenant: TenantId, found: Iterable[Deployment]) -> tuple[dict[str, Counts], tuple[int, int]]:
    """As :func:`read` with ``recent``, and the numbers of the tenant's deployments, all and unfinished ones."""
    given = list(found)
    counts, totals = counters.read_with_totals(tenant, _unknown(given))
    return _completed(tenant, given, counts), totals


def _unknown(given: Iterable[Deployment]) -> list[Plan]:
    return [each.plan for each in given if each.sums is None]


def _completed(tenant: TenantId, given: list[Deployment], counts: Mapping[str, Counts]) -> dict[str, Counts]:
    for each in given:
        if each.sums is None and each.plan.parts and each.is_settled:
            _keep(tenant, each.id)
    return {each.id: counts.get(each.id, NONE) if each.sums is None else each.sums for each in given}


def _keep(tenant: TenantId, deployment: str) -> None:
    """Read and keep the sums of a large deployment that has ended. They must be read after the deployment."""
    seen = deployments.find(tenant, deployment)
    if seen is not None and seen.is_settled and seen.sums is None:
        deployments.keep_sums(tenant, seen, counters.read(tenant, [seen.plan]).get(deployment, NONE))

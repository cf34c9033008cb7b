"""Reads what the wire format of deployments and their devices needs besides them, and builds it (``views``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import clock
from chalicelib.artifacts import service as artifacts
from chalicelib.deployments import views
from chalicelib.deployments.service.operators import sums
from chalicelib.deployments.tables import deployments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chalicelib.deployments.rules.deployment import Deployment
    from chalicelib.deployments.rules.row import Row
    from chalicelib.deployments.rules.statistics import Counts
    from chalicelib.deployments.shapes import Deployment as Shown
    from chalicelib.deployments.shapes import DeploymentDevice
    from chalicelib.storage.keys import TenantId


def show_all(tenant: TenantId, found: Sequence[Deployment], *, recent: bool = False) -> list[Shown]:
    """Deployments; ``recent`` is for lists, whose index is eventually consistent anyway."""
    return _show(tenant, found, sums.read(tenant, found, recent=recent))


def show_with_totals(tenant: TenantId, found: Sequence[Deployment]) -> tuple[list[Shown], tuple[int, int]]:
    """Deployments of a list, and the numbers of the tenant's deployments, all and unfinished ones."""
    counts, totals = sums.read_with_totals(tenant, found)
    return _show(tenant, found, counts), totals


def _show(tenant: TenantId, found: Sequence[Deployment], counts: Mapping[str, Counts]) -> list[Shown]:
    configurations = deployments.read_configurations(tenant, found)
    now = clock.now()
    return [views.show(each, counts[each.id], configurations.get(each.id), now) for each in found]


def show_rows(tenant: TenantId, rows: Sequence[Row], found: Mapping[str, Deployment]) -> list[DeploymentDevice]:
    """Rows of these deployments."""
    images = artifacts.shown(tenant, {row.artifact for row in rows if row.artifact})
    return [views.show_row(row, found, images) for row in rows]

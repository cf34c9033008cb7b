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
    from chalicelib.deployments.shapes import Deployment as Shown
    from chalicelib.deployments.shapes import DeploymentDevice
    from chalicelib.storage.keys import TenantId


def show_all(tenant: TenantId, found: Sequence[Deployment], *, recent: bool = False) -> list[Shown]:
    """Deployments; ``recent`` is for lists, whose index is eventually consistent anyway."""
    counts = sums.read(tenant, found, recent=recent)
    configurations = deployments.read_configurations(tenant, found)
    now = clock.now()
    return [views.show(each, counts[each.id], configurations.get(each.id), now) for each in found]


def show_rows(tenant: TenantId, rows: Sequence[Row], found: Mapping[str, Deployment]) -> list[DeploymentDevice]:
    """Rows of these deployments."""
    images = artifacts.shown(tenant, {row.artifact for row in rows if row.artifact})
    return [views.show_row(row, found, images) for row in rows]

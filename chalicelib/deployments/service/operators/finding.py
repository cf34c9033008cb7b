"""Finds the deployment that a user names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.deployments.tables import deployments
from chalicelib.errors import NotFound

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Deployment
    from chalicelib.storage.keys import TenantId


def require(tenant: TenantId, deployment: str) -> Deployment:
    """A deployment.

    Raises:
        NotFound: there is none.
    """
    stored = deployments.find(tenant, deployment)
    if stored is None:
        raise NotFound("Deployment not found")
    return stored

"""Fixtures of the artifact tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.artifacts.catalog import Catalog

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant


@pytest.fixture
def catalog(api: httpx2.Client, tenant: Tenant) -> Catalog:
    """A tenant with an administrator and no artifacts."""
    return Catalog(api, tenant.id)

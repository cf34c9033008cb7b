"""Fixtures of the artifact tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.artifacts.shelf import Shelf

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant


@pytest.fixture
def shelf(api: httpx2.Client, tenant: Tenant) -> Shelf:
    """A tenant with an admin and nothing stored."""
    return Shelf(api, tenant.id)

"""Tests of other folders again, with large tenants: lists, counts and searches answer as in small ones."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.fleet import control_items, counts
from tests.large.growing import grow

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

_CHANGES = 3
_PARTS = 4
"""Fewer than stored by the server, for short tests."""


@pytest.fixture(autouse=True, params=["from the start", "later"])
def large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all tenants of the test large, from the start or after a few changes of their counts."""
    create, change, seen = control_items.create, counts.change, Counter[str]()

    def created(tx: Any, tenant: TenantId, item: Any, **more: Any) -> None:
        item.parts = _PARTS
        create(tx, tenant, item, **more)

    def changed(tx: Any, tenant: TenantId, *more: Any) -> None:
        change(tx, tenant, *more)
        seen[tenant] += 1
        if seen[tenant] == _CHANGES:
            grow(tenant, _PARTS)

    if request.param == "later":
        monkeypatch.setattr(counts, "change", changed)
    else:
        monkeypatch.setattr(control_items, "create", created)

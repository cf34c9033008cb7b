"""Capacity that parts of a large deployment borrow from each other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from chalicelib.deployments.rules.deployment import Plan
from chalicelib.deployments.service import capacity
from chalicelib.deployments.tables.counters import Loan
from chalicelib.deployments.tables.items import NEVER, counter_ref

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant

UPTO = 16
"""Four devices for each of four parts."""


@pytest.mark.parametrize(
    ("begun", "expected"),
    [
        ({0: 4}, Loan(2, 1, creates=True)),
        ({0: 4, 1: 3, 2: 1, 3: 4}, Loan(2, 2, creates=False)),
        ({0: 4, 1: 3, 2: 4, 3: 4}, Loan(1, 1, creates=False)),
        ({0: 6, 1: 4, 2: 3, 3: 3}, Loan(1, 2, creates=False)),
        # A transaction may change an item only once, so a part never borrows from itself.
        ({0: 1, 1: 4, 2: 4, 3: 4}, None),
        ({0: 3, 1: 0, 2: 0, 3: 0}, None),
    ],
)
def test_a_part_borrows_half_of_what_another_one_has(
    tenant: Tenant, request: pytest.FixtureRequest, begun: dict[int, int], expected: Loan | None
) -> None:
    assert capacity.borrow(tenant.id, _stored(tenant, request.node.name, begun), 0, UPTO) == expected


def test_nothing_is_left(tenant: Tenant) -> None:
    with pytest.raises(capacity.Full):
        capacity.borrow(tenant.id, _stored(tenant, "full", dict.fromkeys(range(4), 4)), 0, UPTO)


def _stored(tenant: Tenant, name: str, begun: dict[int, int]) -> Plan:
    """A deployment of four parts of which so many devices have begun."""
    now = datetime(2030, 1, 1, tzinfo=UTC)
    plan = Plan(
        id=name, name=name, artifact_name="two", created=now, size=UPTO, dynamic=True, parts=4, filter={}, lock=name
    )
    for part, number in begun.items():
        item = counter_ref(tenant.id, plan, part)
        item.last, item.begun = NEVER, number
        item.save()
    return plan

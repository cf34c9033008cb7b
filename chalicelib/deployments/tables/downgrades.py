"""Whether a deployment has tried to downgrade a device: an item that the first such device creates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.deployments.tables.items import deployment_pk, table
from chalicelib.storage.writes import Put, text

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

LABEL: Final = "downgrade"
"""Label of the write of the item."""


def put_first(tx: Transaction, tenant: TenantId, plan: Plan) -> None:
    """Create the item; fails with :data:`LABEL` if it exists."""
    item = {"pk": text(deployment_pk(tenant, plan.id)), "sk": text("DOWNGRADE")}
    tx.write(Put(table(), item).require("attribute_not_exists(#pk)"), label=LABEL)

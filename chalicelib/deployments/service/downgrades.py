"""Downgrades: devices that would get older software than they have, which a tenant can flag or refuse.

The first one of each deployment is recorded in the audit log, with the device's row, in the same transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.artifacts import service as artifacts
from chalicelib.auditlogs import service as auditlogs
from chalicelib.cache import Store
from chalicelib.deployments.rules import versions
from chalicelib.deployments.service.auditing import audited
from chalicelib.deployments.tables import downgrades

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.fleet.control import TrustPolicy
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

LABEL: Final = downgrades.LABEL
_recorded: Store[tuple[TenantId, str], bool] = Store()
"""Deployments of which it is known that a downgrade was recorded."""


def find(
    tenant: TenantId, policy: TrustPolicy, plan: Plan, artifact_id: str, provides: Mapping[str, str]
) -> str | None:
    """What this artifact would make older on a device, as text; None if nothing, or if the tenant does not ask.

    A read for each artifact that a process has not seen yet, if the tenant asks.
    """
    if policy.downgrades == "allow" or plan.configures:
        return None
    offered = {**artifacts.provides(tenant, artifact_id), "artifact_name": plan.artifact_name}
    downgrade = versions.downgrade(offered, provides)
    return None if downgrade is None else str(downgrade)


def record(tx: Transaction, tenant: TenantId, plan: Plan, downgrade: str, *, is_refused: bool) -> None:
    """Add the audit entry of a device's downgrade to its transaction, if it may be the first one of the deployment.

    The transaction fails with :data:`LABEL` if it is not; then :func:`note` that, and try again.
    """
    if _recorded.get((tenant, plan.id)) is not None:
        return
    downgrades.put_first(tx, tenant, plan)
    text = f"Downgrade of the first device {'refused' if is_refused else 'flagged'}: {downgrade}"
    auditlogs.record(tx, tenant, auditlogs.Action.UPDATE, audited(plan), change=text)


def note(tenant: TenantId, deployment: str) -> None:
    """Remember that the first downgrade of a deployment is recorded."""
    _recorded.put((tenant, deployment), value=True)

"""Events of deployments for integrations. They are not part of Mender's API, which has events of devices only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.clock import rfc3339
from chalicelib.integrations import service as integrations
from chalicelib.integrations.service import Event, Kind

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Approval, Person, Plan
    from chalicelib.deployments.rules.rollout import Pause
    from chalicelib.deployments.rules.statuses import Status
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction


def created(tx: Transaction, tenant: TenantId, plan: Plan) -> None:
    """A deployment was created."""
    more: dict[str, Any] = {"created": rfc3339(plan.created), "max_devices": plan.size, "phase_count": len(plan.phases)}
    if plan.parent is not None:
        more["parent"] = plan.parent
    _tell(tx, tenant, Kind.DEPLOYMENT_CREATED, _about(plan) | more)


def approval_requested(tx: Transaction, tenant: TenantId, plan: Plan, asked: Approval) -> None:
    """A deployment was created that a second person has to approve."""
    more = {"requested_by": _person(asked.requested_by), "expires": rfc3339(asked.expires)}
    _tell(tx, tenant, Kind.DEPLOYMENT_APPROVAL_REQUESTED, _about(plan) | more)


def approved(tx: Transaction, tenant: TenantId, plan: Plan, by: Person, comment: str) -> None:
    """A user has approved the deployment."""
    more = {"decided_by": _person(by), "comment": comment}
    _tell(tx, tenant, Kind.DEPLOYMENT_APPROVED, _about(plan) | more)


def rejected(tx: Transaction, tenant: TenantId, plan: Plan, by: Person, comment: str) -> None:
    """A user has rejected the deployment."""
    more = {"decided_by": _person(by), "comment": comment}
    _tell(tx, tenant, Kind.DEPLOYMENT_REJECTED, _about(plan) | more)


def phase_opened(tx: Transaction, tenant: TenantId, deployment: str, number: int) -> None:
    """Its phase ``number``, from 1, has opened."""
    _tell(tx, tenant, Kind.DEPLOYMENT_PHASE_OPENED, {"id": deployment, "phase": number})


def device_finished(tx: Transaction, tenant: TenantId, plan: Plan, device_id: str, status: Status) -> None:
    """A device has a final status."""
    data = _about(plan) | {"device_id": device_id, "status": status}
    integrations.emit(tx, tenant, Event(Kind.DEPLOYMENT_DEVICE_FINISHED, device_id, data))


def closed(tx: Transaction, tenant: TenantId, plan: Plan, *, aborted: bool) -> None:
    """The deployment has finished or was aborted."""
    _tell(tx, tenant, Kind.DEPLOYMENT_ABORTED if aborted else Kind.DEPLOYMENT_FINISHED, _about(plan))


def stopped(tx: Transaction, tenant: TenantId, plan: Plan, why: Pause, *, aborted: bool) -> None:
    """Its failures have paused or aborted the deployment."""
    more = {"action": "abort" if aborted else "pause", "failures": why.failures, "reports": why.reports}
    _tell(tx, tenant, Kind.DEPLOYMENT_STOPPED, _about(plan) | {"reason": why.reason} | more)


def paused(tx: Transaction, tenant: TenantId, plan: Plan, reason: str) -> None:
    """A user has paused the deployment."""
    _tell(tx, tenant, Kind.DEPLOYMENT_PAUSED, _about(plan) | {"reason": reason})


def resumed(tx: Transaction, tenant: TenantId, plan: Plan) -> None:
    """A user has resumed the deployment."""
    _tell(tx, tenant, Kind.DEPLOYMENT_RESUMED, _about(plan))


def _person(person: Person) -> dict[str, str]:
    return {"id": person.id, "email": person.email}


def _about(plan: Plan) -> dict[str, Any]:
    return {"id": plan.id, "name": plan.name, "artifact_name": plan.artifact_name}


def _tell(tx: Transaction, tenant: TenantId, kind: Kind, data: dict[str, Any]) -> None:
    integrations.emit(tx, tenant, Event(kind, data["id"], data))

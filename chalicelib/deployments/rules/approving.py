"""Which deployments a second person approves, and who may decide (``docs/rollouts.md#a-second-person``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from chalicelib.errors import Conflict, Forbidden
from chalicelib.times import rfc3339

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Approval, Deployment, Person, Plan


def may_exceed(plan: Plan, devices: int) -> bool:
    """Whether a deployment may have more devices than this. A dynamic one without a limit may have any number."""
    return plan.size > devices or (plan.dynamic and plan.most is None)


def decided(stored: Deployment, by: Person, now: datetime, *, approve: bool, comment: str) -> Approval | None:
    """The decision of a user about a deployment; None if the same user has decided the same before.

    Raises:
        Conflict: somebody has decided otherwise or before, or it does not wait for approval.
        Forbidden: the user has created the deployment.
    """
    asked = stored.approval
    if asked is None:
        raise Conflict("the deployment needs no approval, so there is nothing to decide")
    state: Literal["approved", "rejected"] = "approved" if approve else "rejected"
    if asked.decided_by is not None and asked.decided_at is not None:
        if asked.decided_by.id == by.id and asked.state == state:
            return None
        raise Conflict(
            f"the deployment was {asked.state} by {asked.decided_by.email or asked.decided_by.id} "
            f"at {rfc3339(asked.decided_at)}; a decision cannot be changed"
        )
    if asked.state == "expired" or (stored.is_open and asked.expires <= now):
        raise Conflict(f"nobody approved the deployment in time, by {rfc3339(asked.expires)}; create another one")
    if not stored.is_open:
        raise Conflict("the deployment has ended without a decision about it; create another one")
    if asked.requested_by.id == by.id:
        raise Forbidden(
            "you have created this deployment, so another user has to approve or reject it; you can abort it"
        )
    return replace(asked, state=state, decided_by=by, decided_at=now, comment=comment)

"""How audit entries name deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.auditlogs.service import Object, ObjectType

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Plan


def audited(plan: Plan) -> Object:
    """A deployment as an audit entry names it."""
    return Object(ObjectType.DEPLOYMENT, plan.id, {"name": plan.name, "artifact_name": plan.artifact_name})

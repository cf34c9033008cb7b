"""Mails the users who may approve a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.clock import rfc3339
from chalicelib.deployments.service.workers import notifying
from chalicelib.deployments.tables import deployments
from chalicelib.rights import Permission
from chalicelib.useradm import service as useradm

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Approval, Plan
    from chalicelib.storage.keys import TenantId

_TEXT: Final = """\
{who} has created a deployment that a second person has to approve:

  name:    {name}
  release: {release}
  devices: {devices}

No device gets it until it is approved. If nobody approves it by {expires}, it is aborted.
{link}
You get this mail because you may approve deployments. You can turn such mails off for yourself in the settings of your
account.
"""


def write(tenant: TenantId, deployment: str) -> None:
    """Mail the users who may approve a deployment and want such mails, except the one who created it."""
    stored = deployments.find(tenant, deployment)
    if stored is None or stored.approval is None or not stored.waits:
        return
    plan, asked = stored.plan, stored.approval
    notifying.tell(
        tenant,
        plan,
        useradm.OptionalMail.DEPLOYMENT_APPROVALS,
        Permission.DEPLOYMENTS_APPROVE,
        subject=f"Deployment waits for approval: {plan.name}",
        text=_text(plan, asked),
        except_user=asked.requested_by.id,
    )


def _text(plan: Plan, asked: Approval) -> str:
    link = notifying.link(plan)
    return _TEXT.format(
        who=asked.requested_by.email or "A user",
        name=notifying.one_line(plan.name),
        release=notifying.one_line(plan.artifact_name),
        devices=plan.size or "all that match its filter",
        expires=rfc3339(asked.expires),
        link=f"\nApprove or reject it here: {link}\n" if link else "",
    )

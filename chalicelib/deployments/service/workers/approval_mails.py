"""Mails the users who may approve a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.aws import mail
from chalicelib.clock import rfc3339
from chalicelib.deployments.service.operators.reach import Reach
from chalicelib.deployments.tables import deployments
from chalicelib.observability import logger
from chalicelib.rights import Permission
from chalicelib.useradm import service as useradm

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Approval, Plan
    from chalicelib.storage.keys import TenantId

_SUBJECT: Final = 120
_TEXT: Final = """\
{who} has created a deployment that a second person has to approve:

  name:    {name}
  release: {release}
  devices: {devices}

No device gets it before. If nobody approves it until {expires}, it is aborted.
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
    subject, text = _subject(plan), _text(plan, asked)
    kind = useradm.OptionalMail.DEPLOYMENT_APPROVALS
    for user in useradm.who_wants(tenant, useradm.list_users(tenant), kind):
        scopes = useradm.rights_of(user).scopes(Permission.DEPLOYMENTS_APPROVE)
        if user.id == asked.requested_by.id or not Reach(tenant, scopes, once=True).takes(plan):
            continue
        try:
            mail.send(mail.Mail(user.email, subject, text))
        except ValueError:
            logger.warning("an address does not accept mail", extra={"user": user.id})


def _subject(plan: Plan) -> str:
    # A name may contain line breaks, which a subject must not.
    subject = " ".join(f"Deployment waits for approval: {plan.name}".split())
    return subject if len(subject) <= _SUBJECT else subject[: _SUBJECT - 3] + "..."


def _text(plan: Plan, asked: Approval) -> str:
    console = useradm.console_url()
    link = f"\nApprove or reject it here: {console}/#/deployments/{plan.id}\n" if console else ""
    return _TEXT.format(
        who=asked.requested_by.email or "A user",
        name=plan.name,
        release=plan.artifact_name,
        devices=plan.size or "all that match its filter",
        expires=rfc3339(asked.expires),
        link=link,
    )

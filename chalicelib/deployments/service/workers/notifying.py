"""Mails about a deployment to the users who have a permission for it and want such mails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.aws import mail
from chalicelib.deployments.service.operators.reach import Reach
from chalicelib.observability import logger
from chalicelib.useradm import service as useradm

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.rights import Permission
    from chalicelib.storage.keys import TenantId
    from chalicelib.useradm.service import OptionalMail

_SUBJECT: Final = 120
"""The number of characters of a subject, which contains a name of up to 256."""


def tell(
    tenant: TenantId,
    plan: Plan,
    kind: OptionalMail,
    permission: Permission,
    *,
    subject: str,
    text: str,
    except_user: str = "",
) -> None:
    """Mail the users who have the permission for a deployment and want such mails, except the user of this id."""
    for user in useradm.who_wants(tenant, useradm.list_users(tenant), kind):
        scopes = useradm.rights_of(user).scopes(permission)
        if user.id == except_user or not Reach(tenant, scopes, once=True).takes(plan):
            continue
        try:
            mail.send(mail.Mail(user.email, _subject(subject), text))
        except ValueError:
            logger.warning("an address does not accept mail", extra={"user": user.id})


def link(plan: Plan) -> str:
    """The address of the deployment in the console; empty if there is no console."""
    console = useradm.console_url()
    return f"{console}/#/deployments/{plan.id}" if console else ""


def one_line(name: str) -> str:
    """A name as one line. With the line breaks that it may contain, it could pretend to be other lines of a mail."""
    return " ".join(name.split())


def _subject(subject: str) -> str:
    line = one_line(subject)
    return line if len(line) <= _SUBJECT else line[: _SUBJECT - 3] + "..."

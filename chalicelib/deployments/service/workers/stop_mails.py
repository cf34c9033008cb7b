"""Mails the users who manage a deployment that its failures have stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.clock import rfc3339
from chalicelib.deployments.service.workers import notifying
from chalicelib.deployments.tables import deployments
from chalicelib.rights import Permission
from chalicelib.useradm import service as useradm

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.rules.rollout import Pause
    from chalicelib.storage.keys import TenantId

_TEXT: Final = """\
The server has {what} a deployment, because too many of its devices have failed:

  name:    {name}
  release: {release}
  reason:  {reason}
  time:    {at}

No further device begins.{link}

You get this mail because you may manage the deployment. You can turn such mails off for yourself in the settings of
your account.
"""


def write(tenant: TenantId, deployment: str) -> None:
    """Mail the users who may manage a stopped deployment and want such mails."""
    stored = deployments.find(tenant, deployment)
    pause = stored.progress.pause if stored is not None else None
    if stored is None or pause is None or pause.by != "failures":
        return
    what = "aborted" if stored.aborted else "paused"
    notifying.tell(
        tenant,
        stored.plan,
        useradm.OptionalMail.DEPLOYMENT_STOPS,
        Permission.DEPLOYMENTS_MANAGE,
        subject=f"Deployment {what} after failures: {stored.plan.name}",
        text=_text(stored.plan, pause, what),
    )


def _text(plan: Plan, pause: Pause, what: str) -> str:
    link = notifying.link(plan)
    return _TEXT.format(
        what=what,
        name=notifying.one_line(plan.name),
        release=notifying.one_line(plan.artifact_name),
        reason=pause.reason,
        at=rfc3339(pause.at),
        link=f" See why, resume it or abort it here: {link}" if link else "",
    )

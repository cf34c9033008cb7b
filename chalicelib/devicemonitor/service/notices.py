"""Mails about alerts: ordered by the report that changes a level, written and addressed by the worker of mails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib import limits
from chalicelib.aws import client, mail, queues
from chalicelib.devicemonitor import tables
from chalicelib.devicemonitor.shapes import Level
from chalicelib.errors import DomainError, NotFound
from chalicelib.fleet import heads
from chalicelib.observability import logger
from chalicelib.rights import Permission, groups_of
from chalicelib.storage.keys import TenantId

if TYPE_CHECKING:
    from chalicelib.devicemonitor.shapes import NewAlert

EMAIL: Final = "email"
"""The one way to tell users."""
_SUBJECT: Final = 120
_TEXT: Final = """\
{count} of device {device} changed.

{alerts}
You get this mail because you may see this device. An administrator can turn such mails off for everybody.
"""
_ALERT: Final = """\
{level}: {name}
  subject: {subject} ({type}), {status}
  time:    {time}
{details}"""


class Told(msgspec.Struct, frozen=True):
    """An alert as far as a mail tells it."""

    name: str
    level: Level
    subject: str
    type: str
    status: str
    time: str
    details: str


class Notice(msgspec.Struct, frozen=True, tag="alerts"):
    """A message to the worker of mails: tell the users of the tenant."""

    tenant: str
    device_id: str
    alerts: list[Told]


def order(tenant: TenantId, device_id: str, changes: list[NewAlert]) -> None:
    """Have users told of changed levels: at most once. The alerts are there, whether the order is taken or not."""
    if not changes or not mail.configured():
        return
    try:
        queues.send(queues.Queue.MAILS, Notice(tenant, device_id, [_told(alert) for alert in changes]))
    except (DomainError, client.AwsError):
        logger.exception("no mail about alerts is ordered", extra={"device": device_id})


def _told(alert: NewAlert) -> Told:
    details = alert.subject.details
    line = details.line_matching if details else None
    texts = [details.description if details else None, line.data if line else None]
    cut = limits.ALERT_MAIL_TEXT
    return Told(
        name=alert.name[:cut],
        level=alert.level,
        subject=alert.subject.name[:cut],
        type=alert.subject.type[:cut],
        status=alert.subject.status[:cut],
        time=alert.timestamp,
        details="\n".join(text[:cut] for text in texts if text),
    )


def write_notice(notice: Notice) -> None:
    """Mail every user who may see the device, unless the tenant has shut the channel."""
    from chalicelib.inventory import service as inventory
    from chalicelib.useradm import service as useradm

    tenant = TenantId(notice.tenant)
    head = heads.find(tenant, notice.device_id)
    if head is None or EMAIL in tables.read_shut(tenant):
        return
    try:
        identity = inventory.get(tenant, notice.device_id).scope("identity")
    except NotFound:
        return
    known = ", ".join(f"{name}={value}" for name, (value, *_) in sorted(identity.items()))
    subject, text = _letter(notice, f"{notice.device_id} ({known})" if known else notice.device_id)
    for user in useradm.list_users(tenant):
        groups = groups_of(useradm.rights_of(user).scopes(Permission.DEVICES_READ))
        if groups is not None and head.group not in groups:
            continue
        try:
            mail.send(mail.Mail(user.email, subject, text))
        except ValueError:
            logger.warning("an address takes no mail", extra={"user": user.id})


def _letter(notice: Notice, device: str) -> tuple[str, str]:
    """Subject and text."""
    first = notice.alerts[0]
    several = len(notice.alerts) > 1
    about = f"{len(notice.alerts)} alerts" if several else f"{first.level}: {first.name}"
    # What devices send may hold line breaks, which no subject may.
    subject = " ".join(f"{about} on {notice.device_id}".split())
    if len(subject) > _SUBJECT:
        subject = subject[: _SUBJECT - 3] + "..."
    count = "The state of several alerts" if several else "The state of an alert"
    return subject, _TEXT.format(count=count, device=device, alerts="\n".join(map(_paragraph, notice.alerts)))


def _paragraph(alert: Told) -> str:
    return _ALERT.format(
        level=alert.level,
        name=alert.name,
        subject=alert.subject,
        type=alert.type,
        status=alert.status,
        time=alert.time,
        details="".join(f"  {line}\n" for line in alert.details.splitlines()),
    )

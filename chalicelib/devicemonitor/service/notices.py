"""Mails about alerts: queued by the report that changes a level, written and sent by the mail worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib import clock, limits
from chalicelib.aws import client, mail, queues
from chalicelib.devicemonitor import rules, tables
from chalicelib.devicemonitor.rules import Told
from chalicelib.errors import DomainError, NotFound
from chalicelib.fleet import heads
from chalicelib.observability import logger
from chalicelib.rights import Permission, groups_of
from chalicelib.storage import due
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import ConditionFailed, retried

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.devicemonitor.rules import Mails
    from chalicelib.devicemonitor.shapes import NewAlert

EMAIL: Final = "email"
"""The only channel."""
_DIGESTS_AT_ONCE: Final = 100
_SUBJECT: Final = 120
_TEXT: Final = """\
{changed}

{alerts}
You get this mail because you may see this device. You can turn such mails off for yourself in the settings of your
account{link}; an administrator can turn them off for everybody.
"""
_ALERT: Final = """\
{level}: {name}
  subject: {subject} ({type}), {status}
  time:    {time}
{details}"""


class Notice(msgspec.Struct, frozen=True, tag="alerts"):
    """A message to the worker of mails: tell the users of the tenant."""

    tenant: str
    device_id: str
    alerts: list[Told]


class Digest(msgspec.Struct, frozen=True, tag="digest"):
    """A message to the worker of mails: tell the users of the tenant of the alerts that wait."""

    tenant: str
    device_id: str


def order(tenant: TenantId, device_id: str, changes: list[NewAlert]) -> None:
    """Queue a mail about changed levels, at most once. If queueing fails, the alerts are stored nevertheless."""
    if not changes or not mail.configured():
        return
    try:
        queues.send(queues.Queue.MAILS, Notice(tenant, device_id, [_told(alert) for alert in changes]))
    except (DomainError, client.AwsError):
        logger.exception("mail about alerts not queued", extra={"device": device_id})


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
    """Mail every user who may see the device and wants such mails, unless the tenant has disabled the channel.

    After a number of mails about a device in an hour, further alerts wait for its end (``rules.mail``).
    """
    tenant = TenantId(notice.tenant)
    known = _known(tenant, notice.device_id)
    if known is not None and _is_sent_now(tenant, notice):
        _tell(tenant, known, *_notice_text(notice, known.name))


@retried
def _is_sent_now(tenant: TenantId, notice: Notice) -> bool:
    before, version = tables.read_mails(tenant, notice.device_id)
    after, now = rules.mail(before, notice.alerts, clock.now())
    if not tables.save_mails(tenant, notice.device_id, after, version):
        raise ConditionFailed
    return now


def tick(now: datetime) -> None:
    """Queue the digests that are due."""
    due.work_off(tables.due_digests(now, limit=_DIGESTS_AT_ONCE), _order_digest)


def _order_digest(device: tuple[TenantId, str]) -> None:
    queues.send(queues.Queue.MAILS, Digest(*device))
    tables.digest_ordered(*device)


def write_digest(digest: Digest) -> None:
    """Mail the waiting alerts, at most once."""
    tenant = TenantId(digest.tenant)
    mails, version = tables.read_mails(tenant, digest.device_id)
    known = _known(tenant, digest.device_id)
    # Alerts that arrived meanwhile have changed the version; the next message mails them together with these.
    if not mails.waiting or not tables.save_mails(tenant, digest.device_id, rules.digested(clock.now()), version):
        return
    if known is not None:
        _tell(tenant, known, *_digest_text(mails, digest.device_id, known.name))


class _Known(msgspec.Struct, frozen=True):
    """A device that mails are about: its name in a mail, and its group."""

    name: str
    group: str | None


def _known(tenant: TenantId, device_id: str) -> _Known | None:
    # Imported here: devices' reports only order mails; a worker writes them.
    from chalicelib.inventory import service as inventory

    head = heads.find(tenant, device_id)
    if head is None or EMAIL in tables.read_shut(tenant):
        return None
    try:
        identity = inventory.get(tenant, device_id).scope("identity")
    except NotFound:
        return None
    known = ", ".join(f"{name}={value}" for name, (value, *_) in sorted(identity.items()))
    return _Known(f"{device_id} ({known})" if known else device_id, head.group)


def _tell(tenant: TenantId, device: _Known, subject: str, text: str) -> None:
    # Imported here: devices' reports only order mails; a worker writes them.
    from chalicelib.useradm import service as useradm

    for user in useradm.who_wants(tenant, useradm.list_users(tenant), useradm.OptionalMail.DEVICE_ALERTS):
        groups = groups_of(useradm.rights_of(user).scopes(Permission.DEVICES_READ))
        if groups is not None and device.group not in groups:
            continue
        try:
            mail.send(mail.Mail(user.email, subject, text))
        except ValueError:
            logger.warning("an address does not accept mail", extra={"user": user.id})


def _digest_text(mails: Mails, device_id: str, device: str) -> tuple[str, str]:
    """Subject and text."""
    number = len(mails.waiting) + mails.left_out
    changed = f"In the last hour the state of alerts of device {device} changed {number} times more."
    alerts = "\n".join(map(_paragraph, mails.waiting))
    if mails.left_out:
        alerts = f"The {mails.left_out} oldest of these changes are left out.\n\n{alerts}"
    return f"{number} more alerts on {device_id}"[:_SUBJECT], _text(changed, alerts)


def _notice_text(notice: Notice, device: str) -> tuple[str, str]:
    """Subject and text."""
    first = notice.alerts[0]
    several = len(notice.alerts) > 1
    about = f"{len(notice.alerts)} alerts" if several else f"{first.level}: {first.name}"
    # Text from devices may contain line breaks, which a subject must not.
    subject = " ".join(f"{about} on {notice.device_id}".split())
    if len(subject) > _SUBJECT:
        subject = subject[: _SUBJECT - 3] + "..."
    changed = f"The state of {'several alerts' if several else 'an alert'} of device {device} changed."
    return subject, _text(changed, "\n".join(map(_paragraph, notice.alerts)))


def _text(changed: str, alerts: str) -> str:
    # Imported here: devices' reports only order mails; a worker writes them.
    from chalicelib.useradm import service as useradm

    console = useradm.console_url()
    link = f" ({console}/#/settings/notifications)" if console else ""
    return _TEXT.format(changed=changed, alerts=alerts, link=link)


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

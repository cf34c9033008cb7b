"""Queue workers. SQS may hand out a message more than once, so each does its work as often as it is asked to.

One message a call: Chalice can't report which messages of a batch failed, and a good one must not go to the dead
letters with a bad one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from chalice.app import Blueprint

from chalicelib import settings
from chalicelib.actor import SYSTEM, Actor, acting
from chalicelib.aws.queues import Queue
from chalicelib.storage.keys import TenantId

if TYPE_CHECKING:
    from chalice.app import SQSEvent

bp = Blueprint(__name__)
# A blueprint and not functions of the app: its workers are found on Lambda by this module's name, so a worker's
# cold start loads no route.

_PREFIX = settings.current().queue_prefix


class Decommission(msgspec.Struct):
    """A device to clear out of every feature."""

    tenant: str
    device_id: str


class CompleteUpload(msgspec.Struct):
    """A direct upload whose bytes are said to be there."""

    tenant: str
    id: str
    by: Actor = SYSTEM
    """Who said so: the artifact is this user's."""


class Rebuild(msgspec.Struct):
    """A tenant whose inventory snapshot someone must look at."""

    tenant: str


class Deliver(msgspec.Struct):
    """An integration whose events wait."""

    tenant: str
    integration: str


class Removal(msgspec.Struct):
    """A tenant whose data has to be erased."""

    tenant: str


@bp.on_sqs_message(queue=_PREFIX + Queue.DECOMMISSIONS, batch_size=1, name="decommissions")
def on_decommission(event: SQSEvent) -> None:
    """Clear decommissioned devices out."""
    from chalicelib.devauth import service as devauth

    for record in event:
        message = msgspec.json.decode(record.body, type=Decommission)
        devauth.clear_out(TenantId(message.tenant), message.device_id)


@bp.on_sqs_message(queue=_PREFIX + Queue.MAILS, batch_size=1, name="mails")
def on_mail(event: SQSEvent) -> None:
    """Send mails; those about an account or about alerts are written here too."""
    from chalicelib.aws import mail
    from chalicelib.devicemonitor import service as devicemonitor
    from chalicelib.useradm import service as useradm

    for record in event:
        match msgspec.json.decode(record.body, type=mail.Mail | useradm.Order | devicemonitor.Notice):
            case useradm.Order() as order:
                useradm.write_letter(order)
            case devicemonitor.Notice() as notice:
                devicemonitor.write_notice(notice)
            case letter:
                mail.deliver(letter)


@bp.on_sqs_message(queue=_PREFIX + Queue.DELIVERIES, batch_size=1, name="deliveries")
def on_delivery(event: SQSEvent) -> None:
    """Tell integrations of events."""
    from chalicelib.integrations.service import delivering

    for record in event:
        message = msgspec.json.decode(record.body, type=Deliver)
        delivering.deliver(TenantId(message.tenant), message.integration)


@bp.on_sqs_message(queue=_PREFIX + Queue.REMOVALS, batch_size=1, name="removals")
def on_removal(event: SQSEvent) -> None:
    """Erase the data of removed tenants."""
    from chalicelib.events import forgetting
    from chalicelib.tenantadm import service as tenantadm

    for record in event:
        message = msgspec.json.decode(record.body, type=Removal)
        tenantadm.erase(TenantId(message.tenant), forgetting.steps())


@bp.on_sqs_message(queue=_PREFIX + Queue.SNAPSHOTS, batch_size=1, name="snapshots")
def on_snapshot(event: SQSEvent) -> None:
    """Build the snapshots that searches of the inventory read."""
    from chalicelib.inventory.service import building as inventory

    for record in event:
        message = msgspec.json.decode(record.body, type=Rebuild)
        while inventory.rebuild(TenantId(message.tenant)):
            pass


@bp.on_sqs_message(queue=_PREFIX + Queue.UPLOADS, batch_size=1, name="uploads")
def on_upload(event: SQSEvent) -> None:
    """Make artifacts of direct uploads."""
    from chalicelib.artifacts import service as artifacts

    for record in event:
        message = msgspec.json.decode(record.body, type=CompleteUpload)
        with acting(message.by):
            artifacts.verify(TenantId(message.tenant), message.id)

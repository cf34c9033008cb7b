"""Queue workers. SQS may deliver a message more than once, so each worker can repeat its work.

One message per call: Chalice cannot report which messages of a batch failed, and a good message must not go to the
dead-letter queue with a bad one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from chalice.app import Blueprint

from chalicelib import settings
from chalicelib.actor import Acting
from chalicelib.aws import queues
from chalicelib.aws.queues import REQUEST_ID, Queue
from chalicelib.observability import Observed

if TYPE_CHECKING:
    from chalice.app import SQSEvent, SQSRecord

Worker = Callable[[str], None]
"""Handles the body of one message."""

bp = Blueprint(__name__)
# A blueprint and not functions of the app: its workers are found on Lambda by this module's name, so a worker's
# cold start loads no route.

_PREFIX = settings.current().queue_prefix


def _worker(queue: Queue, *, at_once: int) -> Callable[[Worker], Callable[[SQSEvent], None]]:
    """Register a function as the worker of a queue; each message is a call of its own with the id of the sending call.

    ``at_once``: how many of these calls may run at the same time. All functions of an account share its concurrency, by
    default 1,000 calls, which a backlog must not take from devices. SQS keeps the waiting messages.
    """

    def decorate(work: Worker) -> Callable[[SQSEvent], None]:
        @functools.wraps(work)
        def run(event: SQSEvent) -> None:
            for record in event:
                with Observed(_request_id(record), event.context):
                    work(record.body)

        registered: Callable[[SQSEvent], None] = bp.on_sqs_message(
            queue=_PREFIX + queue, batch_size=1, name=str(queue), maximum_concurrency=at_once
        )(run)
        return registered

    return decorate


def _request_id(record: SQSRecord) -> str:
    message = record.to_dict()
    sender = message.get("messageAttributes", {}).get(REQUEST_ID, {})
    return str(sender.get("stringValue") or message["messageId"])


@_worker(Queue.DECOMMISSIONS, at_once=10)
def on_decommission(body: str) -> None:
    """Delete the data of decommissioned devices."""
    # Imported here: each worker is a function of its own.
    from chalicelib.events import decommissioning

    message = msgspec.json.decode(body, type=queues.Decommission)
    decommissioning.clear_out(message.tenant, message.device_id)


@_worker(Queue.MAILS, at_once=10)
def on_mail(body: str) -> None:
    """Send mails; those about accounts, alerts or deployments are also written here."""
    # Imported here: each worker is a function of its own.
    from chalicelib.aws import mail
    from chalicelib.devicemonitor import service as devicemonitor
    from chalicelib.useradm import service as useradm

    known = (
        mail.Mail
        | useradm.Order
        | devicemonitor.Notice
        | devicemonitor.Digest
        | queues.ApprovalNotice
        | queues.StopNotice
    )
    message = msgspec.json.decode(body, type=known)
    match message:
        case useradm.Order() as order:
            useradm.write_mail(order)
        case devicemonitor.Notice() as notice:
            devicemonitor.write_notice(notice)
        case devicemonitor.Digest() as digest:
            devicemonitor.write_digest(digest)
        case queues.ApprovalNotice() | queues.StopNotice():
            # Imported here: most mails are not about deployments, and this takes 80 ms.
            from chalicelib.deployments.service.workers import approval_mails, stop_mails

            about = approval_mails if isinstance(message, queues.ApprovalNotice) else stop_mails
            about.write(message.tenant, message.deployment)
        case mail.Mail():
            mail.deliver(message)


@_worker(Queue.DELIVERIES, at_once=40)
def on_delivery(body: str) -> None:
    """Deliver events to integrations."""
    # Imported here: each worker is a function of its own.
    from chalicelib.integrations.service import delivering

    message = msgspec.json.decode(body, type=queues.Delivery)
    delivering.deliver(message.tenant, message.integration)


@_worker(Queue.PREPARATIONS, at_once=5)
def on_preparation(body: str) -> None:
    """List the targets of large deployments."""
    # Imported here: each worker is a function of its own.
    from chalicelib.deployments.service.workers import preparing as deployments

    message = msgspec.json.decode(body, type=queues.Preparation)
    deployments.prepare(message.tenant, message.deployment)


@_worker(Queue.REMOVALS, at_once=2)
def on_removal(body: str) -> None:
    """Erase the data of removed tenants."""
    # Imported here: each worker is a function of its own.
    from chalicelib.events import erasure
    from chalicelib.tenantadm import service as tenantadm

    message = msgspec.json.decode(body, type=queues.Removal)
    tenantadm.erase(message.tenant, erasure.steps())


@_worker(Queue.SNAPSHOTS, at_once=10)
def on_snapshot(body: str) -> None:
    """Build the snapshots for searches of the inventory."""
    # Imported here: each worker is a function of its own.
    from chalicelib.inventory.service import building as inventory

    message = msgspec.json.decode(body, type=queues.Snapshot)
    while inventory.rebuild(message.tenant):
        pass


@_worker(Queue.UPLOADS, at_once=20)
def on_upload(body: str) -> None:
    """Create the artifacts of direct uploads."""
    # Imported here: each worker is a function of its own.
    from chalicelib.artifacts import service as artifacts
    from chalicelib.http import refusals

    message = msgspec.json.decode(body, type=queues.Upload)
    with Acting(message.by):
        artifacts.verify(message.tenant, message.id, refusals.to_store)

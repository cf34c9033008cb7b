"""SQS messages for workers, with one JSON document each. A worker may receive a message more than once.

The messages are defined here, for senders and workers (``events.queues``). Messages sent before a deployment are
handled after it, so members may only be added, with a default. Mails have a tag: a complete mail (``mail.Mail``), or an
order of a feature, which then writes the mail.

Messages have no trace header (``X-Amzn-Trace-Id``, the system attribute ``AWSTraceHeader``), which AWS's own clients
add. With it, Lambda counts how often one event leads to the next, and stops what looks like a loop after about 16 times
(AWS Lambda: "Use Lambda recursive loop detection"). The worker of ``deliveries`` sends to its own queue as long as a
receiver has waiting events, which is not a loop. The workers limit such chains themselves: a message of ``deliveries``
leads to at most one more, from the one worker that holds the integration's outbox; an order of ``mails`` leads to one
mail for each user, and a mail to none.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Any, Final

import msgspec

from chalicelib import call, settings
from chalicelib.actor import SYSTEM, Actor
from chalicelib.aws import client
from chalicelib.storage.keys import TenantId


class Queue(StrEnum):
    """The queues, by the last part of their names in ``infra/templates/storage.yaml``."""

    DECOMMISSIONS = "decommissions"
    DELIVERIES = "deliveries"
    MAILS = "mails"
    PREPARATIONS = "preparations"
    REMOVALS = "removals"
    SNAPSHOTS = "snapshots"
    UPLOADS = "uploads"


class ApprovalNotice(msgspec.Struct, frozen=True, tag="approval"):
    """A deployment that waits for approval: tell the users who may approve it."""

    tenant: TenantId
    deployment: str


class StopNotice(msgspec.Struct, frozen=True, tag="stop"):
    """A deployment that its failures have stopped: tell the users who manage it."""

    tenant: TenantId
    deployment: str


class Decommission(msgspec.Struct, frozen=True):
    """A decommissioned device to clear out of every feature."""

    tenant: TenantId
    device_id: str


class Delivery(msgspec.Struct, frozen=True):
    """An integration with waiting events."""

    tenant: TenantId
    integration: str


class Preparation(msgspec.Struct, frozen=True):
    """A large deployment whose targets must be listed."""

    tenant: TenantId
    deployment: str


class Removal(msgspec.Struct, frozen=True):
    """A removed tenant whose data must be erased."""

    tenant: TenantId


class Snapshot(msgspec.Struct, frozen=True):
    """A tenant whose inventory snapshot must be checked."""

    tenant: TenantId


class Upload(msgspec.Struct, frozen=True):
    """A direct upload that was reported as complete."""

    tenant: TenantId
    id: str
    by: Actor = SYSTEM
    """The user who reported it, to whom the artifact is attributed."""


REQUEST_ID: Final = "RequestID"
"""The attribute of a message with the id of the sending call, which also appears in the worker's log."""


@cache
def _url(queue: Queue) -> str:
    name = settings.current().queue_prefix + queue
    answer = client.call("sqs", "AmazonSQS.GetQueueUrl", {"QueueName": name}, version="1.0")
    return str(answer["QueueUrl"])


def forget() -> None:
    """Drop the cached URLs of queues; the next message looks them up."""
    _url.cache_clear()


def send(queue: Queue, message: msgspec.Struct) -> None:
    """Send ``message`` to the queue, with the id of the sending call.

    Raises:
        Unavailable: SQS did not accept it. The caller's change is stored, and the schedule handles it later.
    """
    body = msgspec.json.encode(message).decode()
    payload: dict[str, Any] = {"QueueUrl": _url(queue), "MessageBody": body}
    if request_id := call.request_id():
        payload["MessageAttributes"] = {REQUEST_ID: {"DataType": "String", "StringValue": request_id}}
    if tenant := getattr(message, "tenant", ""):
        # A fair queue: SQS delivers other tenants' messages between those of a tenant that sent many.
        payload["MessageGroupId"] = tenant
    client.call("sqs", "AmazonSQS.SendMessage", payload, version="1.0")

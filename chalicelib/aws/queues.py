"""Work for later: SQS messages of one JSON document each. A worker may see a message more than once.

What a message says stands here, for who sends it and for its worker (``events.queues``): those that were sent before
a deployment are worked on after it, so members are only ever added, with a default. Mails are told apart by their tag:
one as it is sent (``mail.Mail``), or an order of a feature that writes it then.

No message carries a trace header (``X-Amzn-Trace-Id``, the system attribute ``AWSTraceHeader``), which AWS's own
clients add. By it Lambda counts how often one event leads to the next, and after about 16 times stops what it takes for
a loop (AWS Lambda: "Use Lambda recursive loop detection"). The worker of ``deliveries`` sends to its own queue for as
long as a receiver has events to get, which is no loop. Since Lambda can't bound it, the workers do: a message of
``deliveries`` leads to one more at most, from the one worker that holds the integration's lane; an order of ``mails``
to one letter for each user that it is for, and a letter to none.
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
    """The queues, by the last part of their names (``infra/templates/storage.yaml`` makes them)."""

    DECOMMISSIONS = "decommissions"
    DELIVERIES = "deliveries"
    MAILS = "mails"
    REMOVALS = "removals"
    SNAPSHOTS = "snapshots"
    UPLOADS = "uploads"


class Decommission(msgspec.Struct, frozen=True):
    """A device to clear out of every feature."""

    tenant: TenantId
    device_id: str


class Delivery(msgspec.Struct, frozen=True):
    """An integration whose events wait."""

    tenant: TenantId
    integration: str


class Removal(msgspec.Struct, frozen=True):
    """A tenant whose data has to be erased."""

    tenant: TenantId


class Snapshot(msgspec.Struct, frozen=True):
    """A tenant whose inventory snapshot someone must look at."""

    tenant: TenantId


class Upload(msgspec.Struct, frozen=True):
    """A direct upload whose bytes are said to be there."""

    tenant: TenantId
    id: str
    by: Actor = SYSTEM
    """Who said so: the artifact is this user's."""


REQUEST_ID: Final = "RequestID"
"""The attribute of a message that says which call sent it: the worker's lines have the same id."""


@cache
def _url(queue: Queue) -> str:
    name = settings.current().queue_prefix + queue
    answer = client.call("sqs", "AmazonSQS.GetQueueUrl", {"QueueName": name}, version="1.0")
    return str(answer["QueueUrl"])


def forget() -> None:
    """Drop where the queues are; the next message looks."""
    _url.cache_clear()


def send(queue: Queue, message: msgspec.Struct) -> None:
    """Put ``message`` into the queue, with the id of the call that does it.

    Raises:
        Unavailable: SQS did not take it; the caller's change stands and is tidied by the schedule.
    """
    body = msgspec.json.encode(message).decode()
    payload: dict[str, Any] = {"QueueUrl": _url(queue), "MessageBody": body}
    if request_id := call.request_id():
        payload["MessageAttributes"] = {REQUEST_ID: {"DataType": "String", "StringValue": request_id}}
    if tenant := getattr(message, "tenant", ""):
        # A fair queue: SQS hands out the messages of others between those of a tenant that sent many.
        payload["MessageGroupId"] = tenant
    client.call("sqs", "AmazonSQS.SendMessage", payload, version="1.0")

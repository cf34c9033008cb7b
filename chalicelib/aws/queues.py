"""Work for later: SQS messages of one JSON document each. A worker may see a message more than once."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Any, Final

import msgspec

from chalicelib import call, settings
from chalicelib.aws import client


class Queue(StrEnum):
    """The queues, by the last part of their names (``infra/templates/storage.yaml`` makes them)."""

    DECOMMISSIONS = "decommissions"
    DELIVERIES = "deliveries"
    MAILS = "mails"
    REMOVALS = "removals"
    SNAPSHOTS = "snapshots"
    UPLOADS = "uploads"


REQUEST_ID: Final = "RequestID"
"""The attribute of a message that says which call sent it: the worker's lines have the same id."""


@cache
def _url(queue: Queue) -> str:
    name = settings.current().queue_prefix + queue
    answer = client.call("sqs", "AmazonSQS.GetQueueUrl", {"QueueName": name}, version="1.0")
    return str(answer["QueueUrl"])


def send(queue: Queue, message: Any) -> None:
    """Put ``message`` into the queue, with the id of the call that does it.

    Raises:
        Unavailable: SQS did not take it; the caller's change stands and is tidied by the schedule.
    """
    body = msgspec.json.encode(message).decode()
    payload: dict[str, Any] = {"QueueUrl": _url(queue), "MessageBody": body}
    if request_id := call.request_id():
        payload["MessageAttributes"] = {REQUEST_ID: {"DataType": "String", "StringValue": request_id}}
    client.call("sqs", "AmazonSQS.SendMessage", payload, version="1.0")

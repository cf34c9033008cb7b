"""Work for later: SQS messages of one JSON document each. A worker may see a message more than once."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Any

import msgspec

from chalicelib import settings
from chalicelib.aws import client


class Queue(StrEnum):
    """The queues, by the last part of their names (``infra/templates/storage.yaml`` makes them)."""

    DECOMMISSIONS = "decommissions"
    DELIVERIES = "deliveries"
    MAILS = "mails"
    REMOVALS = "removals"
    SNAPSHOTS = "snapshots"
    UPLOADS = "uploads"


@cache
def _url(queue: Queue) -> str:
    name = settings.current().queue_prefix + queue
    answer = client.call("sqs", "AmazonSQS.GetQueueUrl", {"QueueName": name}, version="1.0")
    return str(answer["QueueUrl"])


def send(queue: Queue, message: Any) -> None:
    """Put ``message`` into the queue.

    Raises:
        Unavailable: SQS did not take it; the caller's change stands and is tidied by the schedule.
    """
    body = msgspec.json.encode(message).decode()
    client.call("sqs", "AmazonSQS.SendMessage", {"QueueUrl": _url(queue), "MessageBody": body}, version="1.0")

"""Runs the app's schedules and queue workers, like EventBridge and Lambda's event sources on AWS."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
from chalice.app import ScheduledEventConfig, ScheduleExpression, SQSEventConfig

from infra.local.engine.process import REGION
from infra.local.lambda_context import LambdaContext
from infra.local.schedule import next_after
from infra.local.template import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalice.app import Chalice

    Handler = Callable[[dict[str, Any], LambdaContext], Any]

log = logging.getLogger("local.workers")

TIMEOUT = 900.0
"""Seconds that a function may run, as the Lambda context reports. It is not enforced here."""

POLL = 1
"""Seconds that one long poll waits for a message; stopping takes at most as long."""

HOLD = 60
"""Visibility timeout in seconds: when a message is delivered again after the whole server was killed. Each queue has
only one worker, so a message that takes longer is still handled once."""

RETRY = 10
"""Seconds until a failed message is tried again. On AWS it is the queue's visibility timeout."""

BATCH = 10
"""Maximum messages of one receive call of SQS."""

HOPELESS = 100
"""Failures of a message after which a drain gives up: without a redrive policy, the drain would never end."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A function that runs on a schedule."""

    name: str
    expression: str
    handler: Handler

    def fire(self) -> None:
        """Call the function as if it were due now."""
        self.handler(
            {
                "version": "0",
                "id": str(uuid4()),
                "detail-type": "Scheduled Event",
                "source": "aws.events",
                "account": ACCOUNT,
                "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": REGION,
                "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{self.name}"],
                "detail": {},
            },
            LambdaContext(self.name, TIMEOUT),
        )


@dataclass(frozen=True, slots=True)
class Queue:
    """A function that handles the messages of a queue, in batches."""

    name: str
    queue: str
    url: str
    batch: int
    handler: Handler
    sqs: Any

    def take(self, wait: int, retry: int) -> list[dict[str, Any]]:
        """Receive one batch and call the function with it; returns the messages.

        Handled ones are deleted; failed ones come again after ``retry`` seconds, or go where the queue's redrive
        policy sends them.
        """
        received = self.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=min(self.batch, BATCH),
            WaitTimeSeconds=wait,
            VisibilityTimeout=HOLD,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages: list[dict[str, Any]] = received.get("Messages", [])
        if messages:
            failed = self._failed(messages)
            for message in messages:
                handle = message["ReceiptHandle"]
                if message["MessageId"] in failed:
                    self.sqs.change_message_visibility(QueueUrl=self.url, ReceiptHandle=handle, VisibilityTimeout=retry)
                else:
                    self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=handle)
        return messages

    def _failed(self, messages: list[dict[str, Any]]) -> set[str]:
        """Call the function; returns the ids of the messages that it could not handle."""
        everything = {message["MessageId"] for message in messages}
        event = {"Records": [self._record(message) for message in messages]}
        try:
            result = self.handler(event, LambdaContext(self.name, TIMEOUT))
        except Exception:
            log.exception("%s failed on %d messages", self.name, len(messages))
            return everything
        if not isinstance(result, dict) or "batchItemFailures" not in result:
            return set()
        named = {failure.get("itemIdentifier") for failure in result["batchItemFailures"]}
        # As on Lambda: an id that is empty or not in the batch fails the batch.
        return named if named.issubset(everything) else everything

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        attributes = message.get("MessageAttributes", {})
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {
                name: {key[0].lower() + key[1:]: value for key, value in attribute.items()}
                for name, attribute in attributes.items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.queue}",
            "awsRegion": REGION,
        }


class Workers:
    """All schedules and queue workers that the app declares.

    For a server: :meth:`start` and :meth:`stop`. For a test: :meth:`fire`, :meth:`drain` and :meth:`run_once`,
    which work in the caller's thread and return when everything is done.

    Raises:
        botocore.exceptions.ClientError: a queue that the app declares does not exist.
    """

    def __init__(self, app: Chalice) -> None:
        self.schedules = [
            Schedule(source.name, _expression(source), app.handler_map[source.name])
            for source in app.event_sources
            if isinstance(source, ScheduledEventConfig)
        ]
        self.queues = _queues(app)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Run everything in the background, each worker in a thread."""
        for schedule in self.schedules:
            self._spawn(schedule.name, self._keep_firing, schedule)
        for queue in self.queues:
            self._spawn(queue.name, self._keep_taking, queue)

    def stop(self) -> None:
        """Stop after the running functions have finished."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def fire(self, name: str | None = None) -> None:
        """Call the function of one schedule, or of all, as if they were due.

        Raises:
            LookupError: there is no such schedule.
        """
        chosen = [schedule for schedule in self.schedules if name in (None, schedule.name)]
        if name and not chosen:
            raise LookupError(f"no schedule is called {name}")
        for schedule in chosen:
            schedule.fire()

    def drain(self) -> int:
        """Handle messages until all queues are empty; returns how many were taken. Failed ones are tried again at once.

        Raises:
            RuntimeError: a message fails every time, in a queue without a redrive policy.
        """
        taken = 0
        while batch := [message for queue in self.queues for message in queue.take(wait=0, retry=0)]:
            taken += len(batch)
            for message in batch:
                if int(message["Attributes"]["ApproximateReceiveCount"]) > HOPELESS:
                    raise RuntimeError(f"a message fails for ever: {message['Body']}")
        return taken

    def run_once(self) -> int:
        """Run every schedule once, then handle all messages; returns how many messages there were."""
        self.fire()
        return self.drain()

    def _spawn(self, name: str, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _keep_firing(self, schedule: Schedule) -> None:
        due = next_after(schedule.expression, datetime.now(UTC))
        while not self._stopping.wait(max(0.0, (due - datetime.now(UTC)).total_seconds())):
            try:
                schedule.fire()
            except Exception:
                log.exception("schedule %s failed", schedule.name)
            # Missed runs are not repeated, so a schedule's function must tolerate being skipped.
            due = next_after(schedule.expression, max(due, datetime.now(UTC)))

    def _keep_taking(self, queue: Queue) -> None:
        while not self._stopping.is_set():
            try:
                queue.take(wait=POLL, retry=RETRY)
            except Exception:
                log.exception("queue %s could not be read", queue.queue)
                self._stopping.wait(RETRY)


def _expression(source: ScheduledEventConfig) -> str:
    expression = source.schedule_expression
    return expression.to_string() if isinstance(expression, ScheduleExpression) else expression


def _queues(app: Chalice) -> list[Queue]:
    sources = [source for source in app.event_sources if isinstance(source, SQSEventConfig)]
    if not sources:
        return []
    sqs = boto3.session.Session().client("sqs")
    found = []
    for source in sources:
        name = source.queue or str(source.queue_arn).rpartition(":")[2]
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        found.append(Queue(source.name, name, url, source.batch_size, app.handler_map[source.name], sqs))
    return found

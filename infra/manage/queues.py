"""``manage queue ...``: waiting messages, and dead letters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import click

from infra.manage.cli import Result, command, manage

_HOLD = 120
"""Seconds for which a dead letter is hidden from others while it is shown or moved."""
_PRIVATE = frozenset({"mails"})
"""Queues whose messages are not shown, because they contain secrets."""


@manage.group()
def queue() -> None:
    """Queues of the workers, and their dead letters: messages that failed five times."""


_NAME = click.argument("name")


@command(queue, "list")
def list_all() -> Result:
    """Show for each queue how many messages are waiting, in progress, and dead."""
    document = [
        {
            "queue": name,
            "waiting": _count(_url(name), "ApproximateNumberOfMessages"),
            "working": _count(_url(name), "ApproximateNumberOfMessagesNotVisible"),
            "dead": _count(_dead(name), "ApproximateNumberOfMessages"),
        }
        for name in _names()
    ]
    lines = ["{queue}  waiting: {waiting}  working: {working}  dead: {dead}".format(**each) for each in document]
    return Result("\n".join(lines), document)


@command(queue, "dead")
@_NAME
def dead(name: str) -> Result:
    """Show the dead letters of the queue NAME: when they were sent, and their contents.

    Contents of mails are not shown. The messages are hidden from other commands for a moment.
    """
    _check(name)
    sqs, url = boto3.client("sqs"), _dead(name)
    document = []
    looked_at = []
    for message in _received(sqs, url):
        looked_at.append(message["ReceiptHandle"])
        sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
        body = "(not shown)" if name in _PRIVATE else message["Body"]
        document.append({"id": message["MessageId"], "sent": sent.isoformat(timespec="seconds"), "body": body})
    for handle in looked_at:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    return Result("\n".join("{sent}  {id}  {body}".format(**each) for each in document), document)


@command(queue, "redrive")
@_NAME
def redrive(name: str) -> Result:
    """Send the dead letters of the queue NAME back to it, after the cause of the failures is fixed.

    Every worker can handle a message twice, so an interruption does no harm. Messages that fail again become dead
    letters again.
    """
    _check(name)
    sqs, url, back = boto3.client("sqs"), _dead(name), _url(name)
    count = 0
    for message in _received(sqs, url):
        # Send first, then delete: a message may be there twice, but is never lost.
        sqs.send_message(QueueUrl=back, MessageBody=message["Body"])
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        count += 1
    return Result(f"sent back to their queue: {count}", {"queue": name, "redriven": count})


@command(queue, "drop")
@_NAME
@click.argument("ids", nargs=-1, required=True)
def drop(name: str, ids: tuple[str, ...]) -> Result:
    """Delete dead letters of the queue NAME, by the IDS that `queue dead` shows."""
    _check(name)
    sqs, url = boto3.client("sqs"), _dead(name)
    dropped = []
    kept = []
    for message in _received(sqs, url):
        if message["MessageId"] in ids:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            dropped.append(message["MessageId"])
        else:
            kept.append(message["ReceiptHandle"])
    for handle in kept:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    return Result(f"dropped: {len(dropped)}", {"queue": name, "dropped": dropped})


def _received(sqs: Any, url: str) -> Iterator[dict[str, Any]]:
    """The messages of a queue, each once; all stay hidden from others meanwhile."""
    seen: set[str] = set()
    while True:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,  # a short poll asks only some of SQS's servers
            VisibilityTimeout=_HOLD,
            AttributeNames=["SentTimestamp"],
        )
        new = [each for each in answer.get("Messages", []) if each["MessageId"] not in seen]
        if not new:
            return
        seen.update(each["MessageId"] for each in new)
        yield from new


def _names() -> list[str]:
    from chalicelib.aws.queues import Queue

    return sorted(Queue)


def _check(name: str) -> None:
    if name not in _names():
        raise click.UsageError(f"there is no queue {name}; there are: {', '.join(_names())}")


def _url(name: str) -> str:
    from chalicelib import settings

    url: str = boto3.client("sqs").get_queue_url(QueueName=settings.current().queue_prefix + name)["QueueUrl"]
    return url


def _dead(name: str) -> str:
    return _url(name + "-dead")


def _count(url: str, attribute: str) -> int:
    answer = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[attribute])
    return int(answer["Attributes"][attribute])

"""Schedules and queues work as with EventBridge and Lambda."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from infra.local.schedule import next_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.testing import LocalServer
    from tests.local.stub_app import Stub

JOBS, DEAD = "lamplighter-local-jobs", "lamplighter-local-dead"


@pytest.fixture
def sqs(server: LocalServer, stub: Stub) -> Iterator[Any]:
    connected = boto3.client("sqs")
    for name in (JOBS, DEAD):
        connected.purge_queue(QueueUrl=connected.get_queue_url(QueueName=name)["QueueUrl"])
    stub.batches.clear()
    stub.fired.clear()
    stub.reached.clear()
    stub.handle = lambda records: None
    yield connected
    connected.close()


def send(sqs: Any, *bodies: str) -> None:
    url = sqs.get_queue_url(QueueName=JOBS)["QueueUrl"]
    for body in bodies:
        kind = {"kind": {"DataType": "String", "StringValue": "test"}}
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=kind)


def left(sqs: Any, name: str) -> int:
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    counted = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(counted))["Attributes"]
    return sum(int(attributes[name]) for name in counted)


def test_a_schedule_gets_an_event_in_eventbridges_format(server: LocalServer, stub: Stub, sqs: Any) -> None:
    server.workers.fire("tick")

    [event] = stub.fired
    assert event["source"] == "aws.events"
    assert event["detail-type"] == "Scheduled Event"
    assert event["resources"] == ["arn:aws:events:eu-west-1:000000000000:rule/tick"]
    assert datetime.fromisoformat(event["time"]).tzinfo == UTC


def test_an_unknown_schedule_is_an_error(server: LocalServer) -> None:
    with pytest.raises(LookupError, match="nobody"):
        server.workers.fire("nobody")


def test_messages_come_in_batches_and_are_deleted(server: LocalServer, stub: Stub, sqs: Any) -> None:
    send(sqs, *map(str, range(12)))

    assert server.drain() == 12

    assert sorted(body for batch in stub.batches for body in batch) == sorted(map(str, range(12)))
    assert max(map(len, stub.batches)) <= 5
    assert left(sqs, JOBS) == left(sqs, DEAD) == 0


def test_a_record_has_lambdas_format(server: LocalServer, stub: Stub, sqs: Any) -> None:
    seen: list[dict[str, Any]] = []
    stub.handle = seen.extend
    send(sqs, "hello")

    server.drain()

    [record] = seen
    assert record["body"] == "hello"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == f"arn:aws:sqs:eu-west-1:000000000000:{JOBS}"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    kind = record["messageAttributes"]["kind"]
    assert kind["stringValue"] == "test"
    assert kind["dataType"] == "String"


def test_only_failed_messages_are_delivered_again(server: LocalServer, stub: Stub, sqs: Any) -> None:
    def fail_odd_ones_once(records: list[dict[str, Any]]) -> dict[str, Any]:
        failed = [
            record["messageId"]
            for record in records
            if int(record["body"]) % 2 and record["attributes"]["ApproximateReceiveCount"] == "1"
        ]
        return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}

    stub.handle = fail_odd_ones_once
    send(sqs, "1", "2", "3", "4")

    assert server.drain() == 6

    seen = [body for batch in stub.batches for body in batch]
    assert sorted(seen) == ["1", "1", "2", "3", "3", "4"]
    assert left(sqs, JOBS) == left(sqs, DEAD) == 0


def test_messages_that_always_fail_go_to_the_dead_letter_queue(server: LocalServer, stub: Stub, sqs: Any) -> None:
    def fail(records: list[dict[str, Any]]) -> None:
        raise ValueError(records[0]["body"])

    stub.handle = fail
    send(sqs, "poison")

    assert server.drain() == 3

    assert stub.batches == [["poison"]] * 3
    assert (left(sqs, JOBS), left(sqs, DEAD)) == (0, 1)


def test_an_invalid_failure_id_fails_the_whole_batch(server: LocalServer, stub: Stub, sqs: Any) -> None:
    stub.handle = lambda records: {"batchItemFailures": [{"itemIdentifier": "no such message"}]}
    send(sqs, "any")

    assert server.drain() == 3
    assert left(sqs, DEAD) == 1


def test_running_once_fires_every_schedule_and_then_handles_all_messages(
    server: LocalServer, stub: Stub, sqs: Any
) -> None:
    send(sqs, "one", "two")

    assert server.workers.run_once() == 2
    assert len(stub.fired) == 1


def test_in_the_background_messages_are_handled_as_they_arrive(server: LocalServer, stub: Stub, sqs: Any) -> None:
    server.workers.start()

    send(sqs, "soon")

    assert stub.reached.wait(60)
    server.workers.stop()
    assert stub.batches == [["soon"]]
    assert left(sqs, JOBS) == 0


@pytest.mark.parametrize(
    ("expression", "after", "due"),
    [
        ("rate(1 minute)", "2026-01-01T00:00:30", "2026-01-01T00:01:30"),
        ("rate(2 hours)", "2026-01-01T00:00:00", "2026-01-01T02:00:00"),
        ("cron(0/15 * * * ? *)", "2026-01-01T00:14:59", "2026-01-01T00:15:00"),
        ("cron(0/15 * * * ? *)", "2026-01-01T00:15:00", "2026-01-01T00:30:00"),
        ("cron(30 4 * * ? *)", "2026-01-01T05:00:00", "2026-01-02T04:30:00"),
        ("cron(0 9-17/4 ? * MON-FRI *)", "2026-01-02T17:30:00", "2026-01-05T09:00:00"),
        ("cron(0 0 1 JAN,JUL ? *)", "2026-02-01T00:00:00", "2026-07-01T00:00:00"),
        ("cron(0 0 29 2 ? *)", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("cron(0 0 ? * 1 *)", "2026-01-01T00:00:00", "2026-01-04T00:00:00"),
    ],
)
def test_when_an_expression_is_due_next(expression: str, after: str, due: str) -> None:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)

    assert next_after(expression, moment) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.parametrize("expression", ["at noon", "rate(1 week)", "cron(0 0 30 2 ? *)"])
def test_an_expression_that_is_never_due_is_an_error(expression: str) -> None:
    with pytest.raises(ValueError, match=r"schedule|never due"):
        next_after(expression, datetime(2026, 1, 1, tzinfo=UTC))

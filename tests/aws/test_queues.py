"""Attributes of queue messages, and that messages cause no loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
import urllib3

from chalicelib import settings
from chalicelib.aws import client, mail, queues
from chalicelib.aws.queues import Queue
from chalicelib.storage.keys import TenantId
from tests.support.mailbox import of_server

if TYPE_CHECKING:
    from infra.local.testing import LocalServer

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:16"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Headers of calls to AWS."""
    seen: list[dict[str, str]] = []
    pool = client.pool()

    class Noting:
        def request(self, *arguments: Any, **more: Any) -> urllib3.BaseHTTPResponse:
            seen.append(more["headers"])
            return pool.request(*arguments, **more)

    monkeypatch.setattr(client, "pool", Noting)
    return seen


@pytest.mark.parametrize("queue", Queue)
def test_messages_have_no_trace_header_that_lambda_takes_for_a_loop(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, sent: list[dict[str, str]], queue: Queue
) -> None:
    """Lambda puts the trace of the running call into this variable."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", TRACE)
    sqs = boto3.client("sqs", endpoint_url=settings.aws().endpoint_url, region_name=settings.aws().region)
    url = sqs.create_queue(QueueName=f"traces-{queue}")["QueueUrl"]
    monkeypatch.setattr(queues, "_url", lambda _: url)

    queues.send(queue, queues.Delivery(TenantId("0" * 24), "some"))

    [message] = sqs.receive_message(
        QueueUrl=url, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"], WaitTimeSeconds=5
    )["Messages"]
    assert "AWSTraceHeader" not in message["Attributes"]
    assert not [name for name in message.get("MessageAttributes", {}) if "trace" in name.lower()]
    assert sent
    assert not [name for headers in sent for name in headers if "trace" in name.lower()]
    sqs.delete_queue(QueueUrl=url)


def test_a_mail_causes_no_further_messages(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, sent: list[dict[str, str]]
) -> None:
    with of_server(server, monkeypatch) as box:
        mail.send(mail.Mail("pat@example.com", "hello", "text"))
        before = len(sent)

        server.drain()

        assert len(box.mails) == 1
        assert not [each for each in sent[before:] if each.get("X-Amz-Target") == "AmazonSQS.SendMessage"]

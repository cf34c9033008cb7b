"""Messages that fail repeatedly are kept, shown, and sent back after the cause is fixed; others are handled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

from chalicelib.aws import mail, queues
from tests.deployments.world import DEVAUTH, World
from tests.support.mailbox import SENDER, listening, use

if TYPE_CHECKING:
    import pytest

    from tests.manage.conftest import Manage


def counts(document, name: str) -> dict[str, int]:
    """The numbers of messages of a queue."""
    [found] = [each for each in document("queue", "list") if each["queue"] == name]
    return {kind: count for kind, count in found.items() if kind != "queue"}


def test_failed_messages_can_be_redriven_and_malformed_ones_dropped(
    server, document, manage: Manage, api, http, tenant, monkeypatch: pytest.MonkeyPatch
):
    sqs = boto3.client("sqs")
    for each in queues.Queue:
        sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=f"lamplighter-local-{each}-dead")["QueueUrl"])
    world = World(api, http, tenant.tenant_token)
    world.device()
    [device] = api.get(DEVAUTH).json()
    decommissions = sqs.get_queue_url(QueueName="lamplighter-local-decommissions")["QueueUrl"]
    with listening() as box:
        use(monkeypatch, mail_from=SENDER, mail_server=box.url)
        box.refuse["pat@example.com"] = "450 come back later"
        sqs.send_message(QueueUrl=decommissions, MessageBody='{"no": "sense"}')
        mail.send(mail.Mail("pat@example.com", "Hello", "a secret link"))
        mail.send(mail.Mail("sam@example.com", "Hello", "a secret link"))
        assert api.delete(f"{DEVAUTH}/{device['id']}").status_code == 204

        server.drain()

        # The other messages were handled.
        assert len(box.to("sam@example.com")) == 1
        assert api.get(f"/api/management/v1/inventory/devices/{device['id']}").status_code == 404
        assert counts(document, "mails") == {"waiting": 0, "working": 0, "dead": 1}
        assert counts(document, "decommissions") == {"waiting": 0, "working": 0, "dead": 1}

        [letter] = document("queue", "dead", "mails")
        assert letter["body"] == "(not shown)"
        [senseless] = document("queue", "dead", "decommissions")
        assert senseless["body"] == '{"no": "sense"}'

        box.refuse.clear()
        assert document("queue", "redrive", "mails")["redriven"] == 1
        server.drain()
        assert len(box.to("pat@example.com")) == 1
        assert counts(document, "mails") == {"waiting": 0, "working": 0, "dead": 0}

        # Redriven without a fix, it fails again.
        assert document("queue", "redrive", "decommissions")["redriven"] == 1
        server.drain()
        [senseless] = document("queue", "dead", "decommissions")
        assert document("queue", "drop", "decommissions", "another")["dropped"] == []
        assert document("queue", "drop", "decommissions", senseless["id"])["dropped"] == [senseless["id"]]
        assert counts(document, "decommissions") == {"waiting": 0, "working": 0, "dead": 0}
    unknown = manage("queue", "redrive", "nothing")
    assert (unknown.returncode, "there are: decommissions" in unknown.stderr) == (2, True)

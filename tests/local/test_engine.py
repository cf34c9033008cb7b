"""The embedded engine starts, stops, keeps its data, and never outlives its parent."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from infra.local.engine.process import Engine, EngineError, interpreter
from infra.paths import ROOT
from tests.support.aws import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

TABLE = "pairs"
WRITERS = 4


def create_table(engine: Engine) -> None:
    dynamodb = client_of(engine, "dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    dynamodb.close()


def put_pair(dynamodb: Any, number: int) -> None:
    """Two items in one transaction: either both exist or none."""
    items = [{"pk": {"S": f"{side}{number}"}, "number": {"N": str(number)}} for side in ("left", "right")]
    dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": TABLE, "Item": item}} for item in items])


def numbers(engine: Engine) -> dict[str, set[int]]:
    """The numbers present on each side."""
    dynamodb = client_of(engine, "dynamodb")
    found: dict[str, set[int]] = {"left": set(), "right": set()}
    for page in dynamodb.get_paginator("scan").paginate(TableName=TABLE):
        for item in page["Items"]:
            found[item["pk"]["S"].rstrip("0123456789")].add(int(item["number"]["N"]))
    dynamodb.close()
    return found


def wait_for(condition: Callable[[], bool], limit: float = 60) -> None:
    """Return as soon as a condition holds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def snapshots(data: Path) -> set[str]:
    return {path.name for path in (data / "state").glob("snapshot-*")}


def resident(engine: Engine) -> int:
    """Bytes of memory of the engine's process."""
    status = Path(f"/proc/{engine.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) * 1024


def test_a_clean_restart_keeps_everything(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        create_table(engine)
        put_pair(client_of(engine, "dynamodb"), 1)
        client_of(engine, "s3").create_bucket(
            Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        client_of(engine, "s3").put_object(Bucket="kept", Key="object", Body=b"body")
        url = client_of(engine, "sqs").create_queue(QueueName="kept")["QueueUrl"]
        client_of(engine, "sqs").send_message(QueueUrl=url, MessageBody="message")
        client_of(engine, "ssm").put_parameter(Name="/kept", Value="secret", Type="SecureString")

    with Engine(tmp_path) as engine:
        assert numbers(engine) == {"left": {1}, "right": {1}}
        assert client_of(engine, "s3").get_object(Bucket="kept", Key="object")["Body"].read() == b"body"
        url = client_of(engine, "sqs").get_queue_url(QueueName="kept")["QueueUrl"]
        [message] = client_of(engine, "sqs").receive_message(QueueUrl=url)["Messages"]
        assert message["Body"] == "message"
        parameter = client_of(engine, "ssm").get_parameter(Name="/kept", WithDecryption=True)["Parameter"]
        assert parameter["Value"] == "secret"


def test_messages_in_queues_survive_restarts_on_other_ports(tmp_path: Path) -> None:
    for number in range(3):
        with Engine(tmp_path) as engine:
            sqs = client_of(engine, "sqs")
            # As the server does at each start.
            url = sqs.create_queue(QueueName="kept", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=str(number))

    with Engine(tmp_path) as engine:
        sqs = client_of(engine, "sqs")
        url = sqs.create_queue(QueueName="kept", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
        assert len(sqs.list_queues()["QueueUrls"]) == 1
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in received] == ["0", "1", "2"]


def test_an_engine_killed_under_load_keeps_every_change_that_it_answered(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    engine.start()
    create_table(engine)
    url = client_of(engine, "sqs").create_queue(QueueName="kept")["QueueUrl"]
    s3 = client_of(engine, "s3")
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    answered = dict.fromkeys(range(WRITERS), 0)

    def write(writer: int) -> None:
        dynamodb, sqs = client_of(engine, "dynamodb"), client_of(engine, "sqs")
        for number in itertools.count(1):
            try:
                put_pair(dynamodb, number * WRITERS + writer)
                sqs.send_message(QueueUrl=url, MessageBody=f"{writer} {number}")
            except Exception:  # noqa: BLE001  # the engine is gone, as planned
                return
            answered[writer] = number

    writers = [threading.Thread(target=write, args=(writer,)) for writer in answered]
    for each in writers:
        each.start()
    # Changes before a snapshot, during it, and after it.
    first = snapshots(tmp_path)
    wait_for(lambda: bool(snapshots(tmp_path) - first))
    reached = sum(answered.values())
    wait_for(lambda: sum(answered.values()) > reached)
    s3.put_object(Bucket="kept", Key="object", Body=b"body")
    os.kill(engine.pid, signal.SIGKILL)
    for each in writers:
        each.join()
    engine.stop()

    with Engine(tmp_path) as restarted:
        found = numbers(restarted)
        sqs = client_of(restarted, "sqs")
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        assert client_of(restarted, "s3").get_object(Bucket="kept", Key="object")["Body"].read() == b"body"
    assert found["left"] == found["right"], "half of a transaction was kept"
    for writer, number in answered.items():
        own = {each // WRITERS for each in found["left"] if each % WRITERS == writer}
        assert own in (set(range(1, number + 1)), set(range(1, number + 2))), "a change that was answered is lost"
    sent = sum(answered.values())
    assert sent <= int(told["ApproximateNumberOfMessages"]) <= sent + WRITERS


@pytest.mark.parametrize("cut", [1, 20, 300])
def test_a_journal_that_was_cut_off_is_used_up_to_there(tmp_path: Path, cut: int) -> None:
    with Engine(tmp_path) as engine:
        create_table(engine)
    engine = Engine(tmp_path)
    engine.start()
    for number in range(1, 4):
        put_pair(client_of(engine, "dynamodb"), number)
    os.kill(engine.pid, signal.SIGKILL)
    engine.stop()
    *_, journal = sorted((tmp_path / "state").glob("journal-*"))
    journal.write_bytes(journal.read_bytes()[:-cut])

    engine = Engine(tmp_path)
    engine.start()
    assert numbers(engine) == {"left": {1, 2}, "right": {1, 2}}
    put_pair(client_of(engine, "dynamodb"), 4)
    os.kill(engine.pid, signal.SIGKILL)
    engine.stop()
    with Engine(tmp_path) as restarted:
        assert numbers(restarted) == {"left": {1, 2, 4}, "right": {1, 2, 4}}


def test_a_transaction_is_remembered_by_its_token_and_not_by_its_content(tmp_path: Path) -> None:
    with Engine(tmp_path, persist=False) as engine:
        create_table(engine)
        dynamodb = client_of(engine, "dynamodb")

        def put(token: str, content: str) -> None:
            item = {"pk": {"S": "one"}, "content": {"S": content}}
            dynamodb.transact_write_items(
                TransactItems=[{"Put": {"TableName": TABLE, "Item": item}}], ClientRequestToken=token
            )

        put("first", "a")
        put("second", "b")
        put("first", "a")  # the same again: nothing is written
        assert dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": "one"}})["Item"]["content"] == {"S": "b"}
        with pytest.raises(dynamodb.exceptions.IdempotentParameterMismatchException):
            put("first", "c")

        before = resident(engine)
        for number in range(200):
            put(f"large {number}", str(number) * 100_000)
        assert resident(engine) - before < 30 * 1024 * 1024, "50 MB were written, and one item is left"


FORGETTING = """
from types import SimpleNamespace
from ministack.services import dynamodb
from infra.local.engine import patches
patches._tokens_keep_a_hash()
now = 0
dynamodb.time = SimpleNamespace(time=lambda: now)
for now in range(1_000):
    dynamodb._txn_token_store(str(now), {"signature": {}})
print(len(dynamodb._txn_idempotency), bool(dynamodb._txn_token_lookup("970")), bool(dynamodb._txn_token_lookup("900")))
"""


def test_tokens_of_transactions_are_kept_for_a_minute() -> None:
    told = subprocess.run([interpreter(), "-c", FORGETTING], cwd=ROOT, capture_output=True, text=True, check=True)

    kept, remembered, old = told.stdout.split()
    assert int(kept) <= 120
    assert (remembered, old) == ("True", "False")


def test_a_snapshot_is_written_only_when_something_changed(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        create_table(engine)
        wait_for(lambda: bool(snapshots(tmp_path)))
        kept = snapshots(tmp_path)
        client_of(engine, "dynamodb").scan(TableName=TABLE)

    assert snapshots(tmp_path) == kept


def test_an_incomplete_snapshot_is_not_restored(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        create_table(engine)
        put_pair(client_of(engine, "dynamodb"), 1)
    unfinished = tmp_path / "state" / "unfinished-99"
    unfinished.mkdir()
    (unfinished / "dynamodb.json").write_text("{")

    with Engine(tmp_path) as engine:
        assert numbers(engine) == {"left": {1}, "right": {1}}
    assert not unfinished.exists()


def test_without_persistence_nothing_is_kept(tmp_path: Path) -> None:
    with Engine(tmp_path, persist=False) as engine:
        create_table(engine)
    with Engine(tmp_path, persist=False) as engine:
        assert client_of(engine, "dynamodb").list_tables()["TableNames"] == []
    assert not (tmp_path / "state").exists()


def test_the_engine_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from infra.local.engine.process import Engine\n"
        "engine = Engine(pathlib.Path(sys.argv[1]))\n"
        "engine.start()\n"
        "print(engine.pid, engine.endpoint, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    pid, endpoint = parent.stdout.readline().split()
    port = int(endpoint.rpartition(":")[2])

    parent.kill()
    parent.wait()
    parent.stdout.close()

    wait_for(lambda: not _listens(port))
    wait_for(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(int(pid)))


def test_two_engines_on_one_folder_are_refused(tmp_path: Path) -> None:
    with Engine(tmp_path), pytest.raises(EngineError, match="another engine works on"):
        Engine(tmp_path).start()


def test_a_given_port_is_used_and_a_busy_one_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=f"cannot listen on port {port}"):
            Engine(tmp_path, port=port).start()
    with Engine(tmp_path, port=port) as engine:
        assert engine.endpoint == f"http://127.0.0.1:{port}"


def test_a_missing_interpreter_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMPLIGHTER_ENGINE_PYTHON", str(tmp_path / "none" / "bin" / "python"))

    with pytest.raises(EngineError, match="make env"):
        Engine(tmp_path).start()


def test_an_engine_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no engine here >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("LAMPLIGHTER_ENGINE_PYTHON", str(broken))

    with pytest.raises(EngineError, match="no engine here"):
        Engine(tmp_path).start()


def test_policies_are_enforced_only_on_request(tmp_path: Path) -> None:
    with Engine(tmp_path, persist=False, auth=True) as engine:
        stranger = boto3.client(
            "dynamodb",
            endpoint_url=engine.endpoint,
            region_name="eu-west-1",
            aws_access_key_id="AKIANOBODYATALL00000",
            aws_secret_access_key="x",
        )
        with pytest.raises(stranger.exceptions.ClientError, match="security token"):
            stranger.list_tables()
        stranger.close()
        assert client_of(engine, "dynamodb").list_tables()["TableNames"] == []


def test_an_apps_settings_do_not_leak_into_the_engines_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMPLIGHTER_S3_PUBLIC_URL", "http://127.0.0.1:1")

    with Engine(tmp_path, persist=False) as engine:
        environment = Path(f"/proc/{engine.pid}/environ").read_text()

    assert "GATEWAY_PORT=" in environment
    assert "LAMPLIGHTER_" not in environment


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_zombie(pid: int) -> bool:
    """Ended, but not yet reaped by its new parent process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True

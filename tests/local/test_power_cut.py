"""What the engine has answered survives a power cut, on a disk that keeps only what was put on it."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local.engine.process import REGION, Engine, interpreter
from infra.paths import ROOT
from tests.local.losing_disk import left
from tests.local.test_engine import create_table, numbers, put_pair, snapshots
from tests.support.aws import client_of
from tests.support.waiting import until

BUCKET = "kept"
LARGE = bytes(range(256)) * 40_000
PARTS = (b"a" * 5 * 1024 * 1024, b"the end")


class Machine:
    """An engine on a disk that loses what was not put on it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.record, self.data = folder / "record", folder / "data"
        self._folder, self._monkeypatch = folder, monkeypatch

    @contextmanager
    def running(self) -> Iterator[Engine]:
        """The engine; at the end of the block the power is cut."""
        program = self._folder / "python"
        script = ROOT / "tests" / "local" / "losing_disk.py"
        program.write_text(f'#!/bin/sh\nexec "{interpreter()}" "{script}" "{self.record}" "$@"\n')
        program.chmod(0o755)
        with self._monkeypatch.context() as patch:
            patch.setenv("LAMPLIGHTER_ENGINE_PYTHON", str(program))
            engine = Engine(self.data)
            engine.start()
        try:
            yield engine
        finally:
            os.kill(engine.pid, signal.SIGKILL)
            engine.stop()
            with (self.data / "state" / "writing.lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # a snapshot that was begun is complete

    @contextmanager
    def restarted(self, *, names_at_once: bool) -> Iterator[Engine]:
        """An engine on what is left."""
        data = self._folder / f"left-{names_at_once}"
        left(self.record, self.data, data, names_at_once=names_at_once)
        (data / "key.json").unlink(missing_ok=True)
        with Engine(data) as engine:
            yield engine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def bucket_of(engine: Engine) -> Any:
    s3 = client_of(engine, "s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return s3


def content(engine: Engine, key: str) -> bytes:
    return client_of(engine, "s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()


def test_objects_and_items_that_were_answered_survive(machine: Machine) -> None:
    with machine.running() as engine:
        create_table(engine)
        s3 = bucket_of(engine)
        s3.put_object(Bucket=BUCKET, Key="one", Body=b"first")
        s3.put_object(Bucket=BUCKET, Key="folder/large", Body=LARGE)
        s3.put_object(Bucket=BUCKET, Key="removed", Body=b"x")
        upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
        named = {"Bucket": BUCKET, "Key": "parts", "UploadId": upload}
        tags = [s3.upload_part(**named, PartNumber=at, Body=part)["ETag"] for at, part in enumerate(PARTS, 1)]
        parts = [{"PartNumber": at, "ETag": tag} for at, tag in enumerate(tags, 1)]
        s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
        s3.put_object(Bucket=BUCKET, Key="one", Body=b"second")
        s3.delete_object(Bucket=BUCKET, Key="removed")
        before = snapshots(machine.data)
        put_pair(client_of(engine, "dynamodb"), 1)
        until("a snapshot is written", lambda: snapshots(machine.data) - before, every=0.01)
        put_pair(client_of(engine, "dynamodb"), 2)

    for names_at_once in (False, True):
        with machine.restarted(names_at_once=names_at_once) as engine:
            assert content(engine, "one") == b"second"
            assert content(engine, "folder/large") == LARGE
            assert content(engine, "parts") == b"".join(PARTS)
            keys = [each["Key"] for each in client_of(engine, "s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
            assert keys == ["folder/large", "one", "parts"]
            assert numbers(engine) == {"left": {1, 2}, "right": {1, 2}}


def test_a_cut_while_an_object_is_replaced_leaves_the_old_one_or_the_new_one(machine: Machine) -> None:
    with machine.running() as engine:
        s3 = bucket_of(engine)
        s3.put_object(Bucket=BUCKET, Key="one", Body=b"the old one")
        (machine.record / "stall").touch()
        answered: list[object] = []

        def replace() -> None:
            try:
                answered.append(s3.put_object(Bucket=BUCKET, Key="one", Body=b"the new one"))
            except Exception:  # noqa: BLE001  # the power was cut
                return

        writer = threading.Thread(target=replace)
        writer.start()
        until("the object is on its way to the disk", (machine.record / "stalled").exists)
    (machine.record / "stall").unlink()
    writer.join()
    assert not answered, "the answer did not wait for the disk"

    for names_at_once in (False, True):
        with machine.restarted(names_at_once=names_at_once) as engine:
            assert content(engine, "one") in (b"the old one", b"the new one")


def test_an_object_that_does_not_fit_on_the_disk_is_not_acknowledged(machine: Machine) -> None:
    with machine.running() as engine:
        s3 = bucket_of(engine)
        s3.put_object(Bucket=BUCKET, Key="one", Body=b"first")
        (machine.record / "full").touch()
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket=BUCKET, Key="two", Body=b"x")
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        (machine.record / "full").unlink()
        s3.put_object(Bucket=BUCKET, Key="three", Body=b"third")

    with machine.restarted(names_at_once=False) as engine:
        assert content(engine, "one") == b"first"
        assert content(engine, "three") == b"third"

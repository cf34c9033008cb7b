"""``manage reset``, with a separate engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.engine.process import Engine
from tests.manage.conftest import Manage, run
from tests.support.aws import client_of

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine"), persist=False) as running:
        yield running


@pytest.fixture
def aws(engine: Engine) -> Iterator[Callable[[str], Any]]:
    """Makes clients of the engine's services."""
    with ExitStack() as open_clients:

        def make(service: str) -> Any:
            made = client_of(engine, service)
            open_clients.callback(made.close)
            return made

        yield make


@pytest.fixture
def on_engine(engine: Engine, tmp_path: Path) -> Manage:
    """The command, with the file of a running local server."""
    facts = {
        "url": "u",
        "aws_endpoint": engine.endpoint,
        "aws_access_key_id": engine.key.id,
        "aws_secret_access_key": engine.key.secret,
    }
    (tmp_path / "server.json").write_text(json.dumps(facts))

    def on_it(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return run({}, "--data", str(tmp_path), *words, typed=typed)

    return on_it


def test_reset_deletes_everything_and_creates_the_first_tenant(
    engine: Engine, on_engine: Manage, aws: Callable[[str], Any], tmp_path: Path
):
    missing = on_engine("tenant", "list")
    assert (missing.returncode, "no tables yet" in missing.stderr) == (5, True)

    first = json.loads(on_engine("reset", "--yes", "--json").stdout)
    noted = json.loads((tmp_path / "server.json").read_text())
    assert (noted["tenant_id"], noted["user"]) == (first["tenant"], first["user"])
    assert (noted["url"], noted["aws_endpoint"]) == ("u", engine.endpoint)

    kept = on_engine("signing-key", "rotate").stdout
    s3, sqs, ssm = aws("s3"), aws("sqs"), aws("ssm")
    bucket = "lamplighter-local-artifacts"
    for content in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="old", Body=content)
    s3.delete_object(Bucket=bucket, Key="old")
    s3.create_multipart_upload(Bucket=bucket, Key="unfinished")
    queue = sqs.get_queue_url(QueueName="lamplighter-local-uploads")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    other = on_engine("tenant", "create", "Other").stdout.strip()

    refused = on_engine("reset", typed="n\n")
    assert (refused.returncode, "nothing was changed" in refused.stderr) == (1, True)
    assert on_engine("tenant", "show", other).returncode == 0

    again = on_engine("reset", typed="y\n").stdout.strip()

    assert again != first["tenant"]
    listed = json.loads(on_engine("tenant", "list", "--json").stdout)
    assert [each["id"] for each in listed] == [again]
    [admin] = json.loads(on_engine("user", "list", "--tenant", again, "--json").stdout)
    assert admin["email"] == first["user"]
    assert json.loads((tmp_path / "server.json").read_text())["password"] == noted["password"]
    left = s3.list_object_versions(Bucket=bucket)
    assert "Versions" not in left
    assert "DeleteMarkers" not in left
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    key = ssm.get_parameter(Name="/lamplighter/local/signing-keys", WithDecryption=True)
    assert json.loads(key["Parameter"]["Value"])["active"] == kept.strip()

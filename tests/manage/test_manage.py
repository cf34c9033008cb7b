"""The admin's command, as a program of its own against a running engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from infra.local.engine.process import ROOT, Engine
from tests.useradm.conftest import LOGIN, ME, bearer

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from infra.local.testing import LocalServer

Manage = Callable[..., subprocess.CompletedProcess[str]]
PASSWORD = "a-long-enough-one"


def run(environment: dict[str, str], *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command with these variables and no others that it would look at."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMPLIGHTER_"))}
    return subprocess.run(
        [sys.executable, "-m", "infra.manage", *words],
        cwd=ROOT,
        env=inherited | environment,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def manage(server: LocalServer) -> Manage:
    """The command, on the session's server."""

    def on_server(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return run({"AWS_ENDPOINT_URL": server.engine.endpoint}, *words, typed=typed)

    return on_server


@pytest.fixture
def done(manage: Manage) -> Callable[..., str]:
    """Runs a command that has to succeed; what it prints."""

    def succeed(*words: str, typed: str = "") -> str:
        result = manage(*words, typed=typed)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    return succeed


@pytest.fixture
def document(done: Callable[..., str]) -> Callable[..., Any]:
    """Runs a command that has to succeed with ``--json``; the document."""
    return lambda *words, typed="": json.loads(done(*words, "--json", typed=typed))


def new_email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def test_from_nothing_to_a_login(done, http: httpx2.Client):
    tenant = done("tenant", "create", "Acme")
    email = new_email()
    user = done("user", "create", "--tenant", tenant, email, "--password", "-", typed=f"{PASSWORD}\n")

    answer = http.post(LOGIN, auth=(email, PASSWORD))
    shown = http.get(ME, headers=bearer(answer.text)).json()
    assert (shown["id"], shown["tenant_id"]) == (user, tenant)


def test_a_tenant_with_limits(document, done):
    made = document("tenant", "create", "Small", "--plan", "os", "--max-devices", "5", "--storage-limit", "1000")

    assert {name: made[name] for name in ("name", "plan", "max_devices", "storage_limit", "status")} == {
        "name": "Small",
        "plan": "os",
        "max_devices": 5,
        "storage_limit": 1000,
        "status": "active",
    }
    assert document("tenant", "show", made["id"]) == made
    assert f"tenant_token: {made['tenant_token']}" in done("tenant", "show", made["id"]).splitlines()
    assert made in document("tenant", "list")
    assert f"{made['id']}  active  os  Small" in done("tenant", "list").splitlines()


def test_limits_change_one_by_one(document, done, tenant):
    assert done("tenant", "set-limits", tenant.id, "--max-devices", "7") == tenant.id

    changed = document("tenant", "set-limits", tenant.id, "--storage-limit", "9")

    assert (changed["max_devices"], changed["storage_limit"]) == (7, 9)


def test_suspending_and_activating(document, tenant, api: httpx2.Client):
    from chalicelib.fleet import control

    assert document("tenant", "suspend", tenant.id)["status"] == "suspended"
    control.forget(tenant.id)  # what the settings' few seconds do for another process
    assert api.get(ME).status_code == 401

    assert document("tenant", "activate", tenant.id)["status"] == "active"
    control.forget(tenant.id)
    assert api.get(ME).status_code == 200


def test_users(document, done, manage: Manage, http: httpx2.Client, tenant):
    email = new_email()
    made = document("user", "create", "--tenant", tenant.id, email, "--generate")
    assert http.post(LOGIN, auth=(email, made["password"])).status_code == 200

    shown = manage("user", "set-password", email, "--generate")
    assert shown.stdout.strip() == made["id"]
    generated = shown.stderr.strip().removeprefix("password: ")

    assert http.post(LOGIN, auth=(email, made["password"])).status_code == 401
    assert http.post(LOGIN, auth=(email, generated)).status_code == 200
    [listed] = document("user", "list", "--tenant", tenant.id)
    assert (listed["id"], listed["email"]) == (made["id"], email)
    assert "password" not in listed
    assert done("user", "list", "--tenant", tenant.id) == f"{made['id']}  {email}"


def test_a_user_of_another_server(done, http: httpx2.Client, tenant):
    import bcrypt

    email, hashed = new_email(), bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()

    done("user", "create", "--tenant", tenant.id, email, "--password-hash", hashed)

    assert http.post(LOGIN, auth=(email, PASSWORD)).status_code == 200


def test_keys_rotate(done, http: httpx2.Client, tenant, api: httpx2.Client):
    from chalicelib.aws import signing_keys

    before = signing_keys.active().kid
    name = done("signing-key", "rotate")
    signing_keys.forget()

    assert signing_keys.active().kid == name != before
    assert api.get(ME).status_code == 200

    withdrawn = done("signing-key", "rotate", "--withdraw-old")
    signing_keys.forget()

    assert signing_keys.active().kid == withdrawn
    assert api.get(ME).status_code == 401


class TestRefusals:
    """Errors are one line on standard error, with a code by class and nothing on standard output."""

    def check(self, result: subprocess.CompletedProcess[str], code: int, text: str) -> None:
        assert (result.returncode, result.stdout) == (code, ""), result.stderr
        assert text in result.stderr
        assert "Traceback" not in result.stderr

    def test_wrong_usage(self, manage: Manage, tenant):
        self.check(manage("tenant", "create"), 2, "Missing argument 'NAME'")
        self.check(manage("tenant", "set-limits", tenant.id), 2, "--max-devices, --storage-limit or both")
        self.check(manage("user", "create", "--tenant", tenant.id, new_email()), 2, "--generate")
        both = ("--generate", "--password", PASSWORD)
        self.check(manage("user", "create", "--tenant", tenant.id, new_email(), *both), 2, "either")

    def test_not_found(self, manage: Manage):
        unknown = "f" * 24
        for words in (
            ("tenant", "show", unknown),
            ("tenant", "suspend", unknown),
            ("user", "list", "--tenant", unknown),
            ("user", "create", "--tenant", unknown, new_email(), "--generate"),
            ("user", "set-password", new_email(), "--generate"),
        ):
            self.check(manage(*words), 3, "not found. `tenant list`")

    def test_refused(self, manage: Manage, tenant):
        self.check(manage("tenant", "create", ""), 4, "name: must be between")
        short = ("--password", "short")
        self.check(manage("user", "create", "--tenant", tenant.id, new_email(), *short), 4, "minimum 8")

    def test_no_server(self, tmp_path: Path):
        result = run({}, "--data", str(tmp_path), "tenant", "list")
        self.check(result, 5, "Start one with `make run`")
        silent = run({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "tenant", "list")
        self.check(silent, 5, "does not answer")

    def test_no_stage(self, manage: Manage):
        self.check(manage("--stage", "nowhere", "tenant", "list"), 5, "Known are: local")

    def test_a_stage_on_aws_is_never_reset(self, manage: Manage):
        self.check(manage("--stage", "dev", "reset", "--yes"), 2, "only a local server")
        elsewhere = run({"AWS_ENDPOINT_URL": "https://dynamodb.eu-west-1.amazonaws.com"}, "reset", "--yes")
        self.check(elsewhere, 2, "only a local server")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine"), persist=False) as running:
        yield running


@pytest.fixture
def aws(engine: Engine) -> Iterator[Callable[[str], Any]]:
    """Makes clients of the engine's services."""
    with ExitStack() as open_clients:

        def make(service: str) -> Any:
            client = boto3.client(
                service,
                endpoint_url=engine.endpoint,
                region_name="eu-west-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            open_clients.callback(client.close)
            return client

        yield make


@pytest.fixture
def on_engine(engine: Engine, tmp_path: Path) -> Manage:
    """The command, where a local server has noted how to reach it."""
    (tmp_path / "server.json").write_text(json.dumps({"url": "u", "aws_endpoint": engine.endpoint}))

    def on_it(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return run({}, "--data", str(tmp_path), *words, typed=typed)

    return on_it


def test_reset_from_before_the_first_run_to_a_clean_start(
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


def test_the_stage_on_aws_names_what_its_functions_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from infra.manage.connect import Place, connect

    variables = {"LAMPLIGHTER_BUCKET": "mine"}
    monkeypatch.setattr(os, "environ", variables)

    connect(Place("prod", tmp_path))

    assert variables == {
        "LAMPLIGHTER_STAGE": "prod",
        "LAMPLIGHTER_TABLE_PREFIX": "lamplighter-prod-",
        "LAMPLIGHTER_QUEUE_PREFIX": "lamplighter-prod-",
        "LAMPLIGHTER_BUCKET": "mine",
    }

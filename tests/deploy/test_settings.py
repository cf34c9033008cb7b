"""Settings of functions in addition to their configuration: URLs, and secrets that are in no file."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from infra.deploy.functions import Stage, logs
from infra.deploy.stage import SECRETS, Deployed, SecretError
from infra.local import environment
from infra.local.engine.process import Engine
from infra.local.template import read
from infra.paths import ROOT

STAGE = "some"
EDGE, MAIL = SECRETS
BETWEEN_US = "an-edges-secret-of-32-characters"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    running = Engine(tmp_path_factory.mktemp("engine"), persist=False, functions=True)
    with running as engine, environment.applied(engine.env()):
        yield


@pytest.fixture
def project(tmp_path: Path, engine: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".chalice" / "deployed").mkdir(parents=True)
    configure(tmp_path)
    return tmp_path


def configure(project: Path, **variables: str) -> None:
    stages = {STAGE: {"environment_variables": variables}}
    (project / ".chalice" / "config.json").write_text(json.dumps({"stages": stages}))


def note(project: Path, **functions: str) -> None:
    """Record functions as Chalice does after deploying them: the name of each on AWS, by its name in Chalice."""
    arn = "arn:aws:lambda:us-east-1:000000000000:function:"
    noted = [
        {"name": name, "resource_type": "lambda_function", "lambda_arn": arn + function}
        for name, function in functions.items()
    ]
    (project / ".chalice" / "deployed" / f"{STAGE}.json").write_text(json.dumps({"resources": noted}))


def running(project: Path, function: str, **variables: str) -> None:
    """A function that was deployed with these variables."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "")
    service = boto3.client("lambda")
    service.create_function(
        FunctionName=function,
        Runtime="python3.13",
        Handler="app.app",
        Role="arn:aws:iam::000000000000:role/some",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": variables},
    )
    service.close()
    note(project, api_handler=function)


def variables_of(project: Path) -> dict[str, str]:
    return Deployed(STAGE, project).variables("https://devices.example.com")


URL = {"LAMPLIGHTER_PUBLIC_URL": "https://devices.example.com"}


def test_a_first_deployment_uses_its_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert variables_of(project) == URL

    monkeypatch.setenv(EDGE, BETWEEN_US)
    monkeypatch.setenv("LAMPLIGHTER_SIGNUP", "true")

    assert variables_of(project) == URL | {EDGE: BETWEEN_US}


def test_later_deployments_keep_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running(project, "kept", **{EDGE: BETWEEN_US, MAIL: "smtp://mail", "LAMPLIGHTER_STAGE": STAGE})

    assert variables_of(project) == URL | {EDGE: BETWEEN_US, MAIL: "smtp://mail"}

    monkeypatch.setenv(EDGE, "")
    assert variables_of(project)[EDGE] == ""
    configure(project, **{MAIL: "smtp://another"})
    assert MAIL not in variables_of(project), "the stage's own setting is the newer one"


@pytest.mark.parametrize("secret", ["short", "x" * 31, "a secret with spaces, which no edge takes"])
def test_an_invalid_edge_secret_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    about = read(ROOT / "infra" / "templates" / "edge.yaml")["Parameters"]["Secret"]
    assert len(secret) < int(about["MinLength"]) or not re.fullmatch(about["AllowedPattern"], secret)
    monkeypatch.setenv(EDGE, secret)

    with pytest.raises(SecretError):
        variables_of(project)


def test_a_deleted_function_has_no_variables(project: Path) -> None:
    note(project, api_handler="deleted")

    assert variables_of(project) == URL


def test_the_last_given_url_is_used(project: Path) -> None:
    target = Deployed(STAGE, project)
    assert target.public_url() == ""

    api = {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": "own"}
    (project / ".chalice" / "deployed" / f"{STAGE}.json").write_text(json.dumps({"resources": [api]}))
    assert Deployed(STAGE, project).public_url().endswith("/_aws/execute-api/own")

    configure(project, **URL)
    assert Deployed(STAGE, project).public_url() == URL["LAMPLIGHTER_PUBLIC_URL"]
    assert Deployed(STAGE, project).public_url("https://other.example.com") == "https://other.example.com"


def test_functions_log_as_json_without_the_lines_of_each_call(project: Path) -> None:
    """And are changed once: a function that stays the same gets no new version."""
    running(project, "logging", LAMPLIGHTER_STAGE=STAGE)
    target = Deployed(STAGE, project)

    assert target.settle("https://host") == ["logging"]
    assert target.settle("https://host") == []

    known = boto3.client("lambda").get_function_configuration(FunctionName="logging")
    assert logs("").items() <= known["LoggingConfig"].items()
    assert known["Environment"]["Variables"] == {"LAMPLIGHTER_STAGE": STAGE, "LAMPLIGHTER_PUBLIC_URL": "https://host"}


@pytest.mark.parametrize(("level", "application"), [("DEBUG", "DEBUG"), ("debug", "DEBUG"), ("ERROR", "INFO")])
def test_lambda_drops_no_lines_of_the_app(project: Path, level: str, application: str) -> None:
    """Lines of metrics have no level: Lambda takes them for INFO, so no level above that may be set there."""
    running(project, f"at-{level}", LAMPLIGHTER_LOG_LEVEL=level)

    Deployed(STAGE, project).settle("https://host")

    known = boto3.client("lambda").get_function_configuration(FunctionName=f"at-{level}")
    assert known["LoggingConfig"]["ApplicationLogLevel"] == application


def test_recursive_calls_are_stopped_and_traces_follow_the_stage(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(project, "looping")
    service = boto3.client("lambda")
    service.put_function_recursion_config(FunctionName="looping", RecursiveLoop="Allow")
    target = Deployed(STAGE, project)

    def mode(*, tracing: bool) -> str:
        monkeypatch.setattr("infra.deploy.functions.STAGES", (Stage(STAGE, tracing=tracing),))
        target.settle("https://host")
        return str(service.get_function_configuration(FunctionName="looping")["TracingConfig"]["Mode"])

    assert [mode(tracing=True), mode(tracing=False)] == ["Active", "PassThrough"]
    assert service.get_function_recursion_config(FunctionName="looping")["RecursiveLoop"] == "Terminate"


def test_snapshots_are_switched_on_and_off_for_the_api_only(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running(project, "worker")
    running(project, "api", LAMPLIGHTER_STAGE=STAGE)
    note(project, api_handler="api", uploads="worker")
    target = Deployed(STAGE, project)
    target.settle("https://host")
    service = boto3.client("lambda")

    def settled(*, snap_start: bool) -> tuple[list[str], list[str]]:
        monkeypatch.setattr("infra.deploy.functions.STAGES", (Stage(STAGE, snap_start=snap_start),))
        changed = target.settle("https://host")
        known = [service.get_function_configuration(FunctionName=name)["SnapStart"] for name in ("api", "worker")]
        return changed, [each["ApplyOn"] for each in known]

    assert settled(snap_start=False) == ([], ["None", "None"]), "a function that never had it is not changed"
    assert settled(snap_start=True) == (["api"], ["PublishedVersions", "None"])
    assert settled(snap_start=True) == ([], ["PublishedVersions", "None"])
    assert settled(snap_start=False) == (["api"], ["None", "None"])


def test_browsers_may_upload_from_all_urls_of_the_console(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", os.environ["AWS_ENDPOINT_URL"])
    monkeypatch.delenv("AWS_ENDPOINT_URL")  # whose stages have URLs of another form
    assert Deployed(STAGE, project).browser_origins() == (), "not before the first deployment"
    assert Deployed(STAGE, project).browser_origins("https://Edge.example.com") == ("https://edge.example.com",)
    own = "https://abc123.execute-api.eu-west-1.amazonaws.com"
    api = {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": "abc123", "rest_api_url": f"{own}/api/"}
    (project / ".chalice" / "deployed" / f"{STAGE}.json").write_text(json.dumps({"resources": [api]}))

    assert Deployed(STAGE, project).browser_origins() == (own,)
    assert Deployed(STAGE, project).browser_origins("https://edge.example.com") == (own, "https://edge.example.com")
    configure(
        project, LAMPLIGHTER_PUBLIC_URL="https://a.example.com", LAMPLIGHTER_UI_URL="https://b.example.com:8443/ui"
    )
    assert Deployed(STAGE, project).browser_origins() == ("https://a.example.com", own, "https://b.example.com:8443")

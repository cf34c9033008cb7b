"""A copy of the project, deployed to an embedded engine that enforces policies."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.deploy.functions import FUNCTIONS, STAGES
from infra.deploy.policies import policy
from infra.local.engine.process import REGION, Engine
from infra.paths import ROOT
from tests.support.aws import client_of

STAGE = "local-aws"
SHIPPED = ("app.py", "chalicelib", "requirements.txt", ".chalice")
BUILT = ("deployed", "deployments", "venv")
"""Files of an earlier deployment in ``.chalice``, which are not copied."""
OFFLINE = ("NewConnectionError", "Temporary failure in name resolution", "ConnectTimeoutError")
EMAIL = "admin@example.com"
PASSWORD = "a-long-enough-one"
LIMIT = 30.0
"""Seconds that a queue may take to be empty."""


def copy_project(target: Path, **settings: str) -> None:
    """Copy the shipped files. The stage has these settings and this machine's processor."""
    target.mkdir()
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            left = BUILT if name == ".chalice" else ("__pycache__",)
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns(*left))
        else:
            shutil.copy(source, target / name)
    path = target / ".chalice" / "config.json"
    config = json.loads(path.read_text())
    arm = platform.machine() in ("aarch64", "arm64")
    config["stages"][STAGE]["lambda_architecture"] = "arm64" if arm else "x86_64"
    config["stages"][STAGE]["environment_variables"] |= settings
    path.write_text(json.dumps(config))
    # As `make docs` does it for settings in the table of stages: what mails may be sent as follows the sender.
    [stage] = [replace(each, settings=settings) for each in STAGES if each.name == STAGE]
    for function in FUNCTIONS:
        role = config["stages"][STAGE]["lambda_functions"][function.name]["iam_policy_file"]
        (target / ".chalice" / role).write_text(json.dumps(policy(function, stage)))


@dataclass
class Stage:
    """A stage on a separate engine."""

    engine: Engine
    project: Path

    def deploy(self, *more: str, **variables: str) -> str:
        """Deploy as ``make deploy``, without its check, with these variables; returns the output."""
        return self._make("deploy", "--no-smoke", *more, **variables)

    def undeploy(self) -> str:
        """Remove as ``make undeploy``; returns the output."""
        return self._make("undeploy")

    def rollback(self, *more: str) -> str:
        """Roll back as ``make rollback``; returns the output."""
        return self._make("rollback", *more)

    def chalice(self, command: str) -> str:
        """Run a command of Chalice that has to succeed; returns the output."""
        program = [sys.executable, "-c", "import sys; from chalice.cli import main; sys.exit(main())"]
        return self._succeed([*program, command, "--stage", STAGE], self.project)

    def _make(self, action: str, *more: str, **variables: str) -> str:
        program = [sys.executable, "-m", "infra.scripts.deploy", action, "--stage", STAGE, *more]
        return self._succeed([*program, "--project", str(self.project)], ROOT, **variables)

    def _succeed(self, program: list[str], folder: Path, **variables: str) -> str:
        done = self._run(program, folder, **variables)
        said = done.stdout + done.stderr
        if done.returncode and any(sign in said for sign in OFFLINE):
            pytest.skip("the libraries of the layer cannot be fetched here")
        assert done.returncode == 0, said
        return said

    def manage(self, *words: str) -> Any:
        """Run the admin's command, which has to succeed; returns its document."""
        done = self._run([sys.executable, "-m", "infra.manage", "--stage", STAGE, *words, "--json"], ROOT)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def client(self, service: str) -> Any:
        """The admin's own client of an AWS service."""
        return client_of(self.engine, service)

    def deployed(self, kind: str) -> list[dict[str, Any]]:
        """The resources of one type in Chalice's record."""
        noted = json.loads((self.project / ".chalice" / "deployed" / f"{STAGE}.json").read_text())
        return [each for each in noted["resources"] if each["resource_type"] == kind]

    @property
    def api_id(self) -> str:
        """The deployed REST API."""
        [api] = self.deployed("rest_api")
        return str(api["rest_api_id"])

    @property
    def url(self) -> str:
        """The deployed API without the name of its stage, which is the "api" that every path begins with."""
        return f"{self.engine.endpoint}/_aws/execute-api/{self.api_id}"

    @property
    def websocket_url(self) -> str:
        """The deployed WebSocket API."""
        [api] = self.deployed("websocket_api")
        return f"{self.engine.endpoint.replace('http', 'ws', 1)}/_aws/execute-api/{api['websocket_api_id']}/api"

    def resources(self) -> dict[str, set[str]]:
        """The methods of each resource of the deployed API, by its path."""
        gateway = self.client("apigateway")
        pages = gateway.get_paginator("get_resources").paginate(restApiId=self.api_id, embed=["methods"])
        found = {
            resource["path"]: set(resource.get("resourceMethods", {})) for page in pages for resource in page["items"]
        }
        gateway.close()
        return found

    def functions(self) -> list[dict[str, Any]]:
        """Every function that the engine has."""
        service = self.client("lambda")
        found: list[dict[str, Any]] = service.list_functions()["Functions"]
        service.close()
        return found

    def inventory(self) -> dict[str, list[str]]:
        """Everything that a deployment makes and the engine has, by kind."""
        asked: dict[str, tuple[str, str, str, str]] = {
            "functions": ("lambda", "list_functions", "Functions", "FunctionName"),
            "layers": ("lambda", "list_layers", "Layers", "LayerName"),
            "event sources": ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
            "REST APIs": ("apigateway", "get_rest_apis", "items", "id"),
            "WebSocket APIs": ("apigatewayv2", "get_apis", "Items", "ApiId"),
            "roles": ("iam", "list_roles", "Roles", "RoleName"),
            "rules": ("events", "list_rules", "Rules", "Name"),
            "log groups": ("logs", "describe_log_groups", "logGroups", "logGroupName"),
        }
        found = {}
        for kind, (service, operation, key, name) in asked.items():
            client = self.client(service)
            found[kind] = [each[name] for each in getattr(client, operation)()[key]]
            client.close()
        return found

    def granted(self, function: str) -> set[str]:
        """The ARNs in the policy of a function's role."""
        role = f"lamplighter-{STAGE}-{function.removeprefix(f'lamplighter-{STAGE}').lstrip('-') or 'api_handler'}"
        iam = self.client("iam")
        document = iam.get_role_policy(RoleName=role, PolicyName=role)["PolicyDocument"]
        iam.close()
        return {arn for statement in document["Statement"] for arn in statement["Resource"]}

    def assumed(self, role: str, service: str) -> Any:
        """A client of an AWS service with the permissions of a role."""
        sts = self.client("sts")
        arn = f"arn:aws:iam::000000000000:role/{role}"
        got = sts.assume_role(RoleArn=arn, RoleSessionName="tests")["Credentials"]
        sts.close()
        return boto3.client(
            service,
            endpoint_url=self.engine.endpoint,
            region_name=REGION,
            aws_access_key_id=got["AccessKeyId"],
            aws_secret_access_key=got["SecretAccessKey"],
            aws_session_token=got["SessionToken"],
        )

    def _run(self, command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMPLIGHTER_"))}
        return subprocess.run(
            command,
            cwd=folder,
            env=inherited | self.engine.env() | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


def wait_until_handled(stage: Stage, name: str) -> None:
    """Wait until no message is waiting or in progress; messages of failing workers stay in progress."""
    for queue in (f"lamplighter-{STAGE}-{name}", f"lamplighter-{STAGE}-{name}-dead"):
        wait_until_empty(stage, queue)


def wait_until_empty(stage: Stage, queue: str) -> None:
    """Wait until a queue has no message."""
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    sqs = stage.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    deadline = time.monotonic() + LIMIT
    while any(int(n) for n in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"].values()):
        assert time.monotonic() < deadline, f"{queue} still holds messages"
        time.sleep(0.1)
    sqs.close()

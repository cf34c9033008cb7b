"""Deployments that fail at one of their calls to AWS and are started again: ``python -m tests.drills.deploying``.

It needs its own process, since Chalice imports the app that it deploys and sets its variables. It prints one JSON line
for each drill: which call failed and how, and what was wrong after the second run.

No calls are repeated to reach the one that fails: this process and the engine fork there
(:mod:`tests.drills.branching`). Two failures often leave the same state, except for times and generated names; the
second run from such a state, and its result, are checked only once.

The deployed app is small, with one of each: a REST route, a worker of a queue, a schedule, the three functions of a
WebSocket API, a layer. Its deployment makes every kind of call of Lamplighter's, for fewer functions.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import msgspec

from chalicelib.aws.client import AwsError
from chalicelib.aws.signing_keys import ensure_signing_key
from chalicelib.errors import Unavailable
from infra.deploy import bytecode, deployer, lock, program, storage
from infra.deploy.client import Client
from infra.deploy.engine import enter
from infra.migrations import CURRENT
from infra.scripts import deploy
from tests.drills import report
from tests.drills.branching import KINDS, Branching, Drill
from tests.drills.client import Line, line
from tests.drills.faults import Faults, KilledError, watched
from tests.drills.inventory import STAGE, WORKERS, Inventory

NAME = f"lamplighter-{STAGE}"
_sleep = time.sleep
QUEUE = f"{NAME}-uploads"
FUNCTIONS = sorted([NAME, *(f"{NAME}-{each}" for each in WORKERS)])

APP = """
from chalice import Chalice, Rate

app = Chalice("lamplighter")
app.experimental_feature_flags.update(["WEBSOCKETS"])


@app.route("/devices/v1/hello")
def hello():
    from chalicelib import GREETING
    from drilled import IN_THE_LAYER

    assert IN_THE_LAYER
    return {"said": GREETING}


@app.on_sqs_message(queue="lamplighter-drill-uploads", name="uploads", batch_size=1)
def on_upload(event):
    pass


@app.schedule(Rate(1, unit=Rate.HOURS), name="tick")
def on_tick(event):
    pass


@app.on_ws_connect(name="websocket_connect")
def on_connect(event):
    pass


@app.on_ws_message(name="websocket_message")
def on_message(event):
    pass


@app.on_ws_disconnect(name="websocket_disconnect")
def on_disconnect(event):
    pass
"""
STORAGE = f"""
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {{ QueueName: {QUEUE}, VisibilityTimeout: 360 }}
  Bucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    Properties: {{ BucketName: lamplighter-drill-bucket }}
Outputs:
  Bucket:
    Value: !Ref Bucket
"""


@dataclass
class Site:
    """An engine and two checkouts of the project: one of the admin who deploys, one of another admin."""

    line: Line
    mine: Path
    other: Path

    def deploy(self, faults: Faults | None = None) -> str | None:
        """Run ``make deploy``; returns why it failed, empty if it succeeded."""
        return self._run(faults, deploy.deploy, public_url="", parameters={}, smoke=False)

    def undeploy(self, faults: Faults | None = None, *, folder: Path | None = None) -> str | None:
        """Run ``make undeploy``, by default from the other checkout; returns why it failed, empty if it succeeded."""
        return self._run(faults, deploy.undeploy, project=folder or self.other)

    def _run(self, faults: Faults | None, action: Callable[..., None], **options: Any) -> str | None:
        with watched(faults or Faults()):
            try:
                action(STAGE, **{"project": self.mine, **options})
            except deploy.REASONS as error:
                return str(error)
            except KilledError:
                return "killed"
            except Exception as error:  # noqa: BLE001  # an admin would see a traceback
                return f"{type(error).__name__}: {error}"
        return None

    def change(self, greeting: str) -> None:
        """Change the code for an update."""
        (self.mine / "chalicelib" / "__init__.py").write_text(f"GREETING = {greeting!r}\n")

    def wrong(self) -> list[str]:
        """The differences from a complete deployment."""
        there = Inventory()
        expected = {
            "functions": FUNCTIONS,
            "REST APIs": [NAME],
            "stages of the REST API": ["api"],
            "WebSocket APIs": [f"{NAME}-websocket-api"],
            "routes": ["$connect", "$default", "$disconnect"],
            "integrations": [f"{NAME}-websocket_{each}:live" for each in ("connect", "disconnect", "message")],
            "stages of the WebSocket API": ["api"],
            "mappings": [f"{QUEUE} to {NAME}-uploads:live"],
            "roles": sorted(f"{NAME}-{each}" for each in ("api_handler", *WORKERS)),
            "rules": [f"{NAME}-tick-event to {NAME}-tick:live"],
            "log groups": [f"/aws/lambda/{each}" for each in FUNCTIONS],
            "layers": [f"{NAME}-managed-layer:1"],
            "permissions": sorted(set(FUNCTIONS) - {f"{NAME}-uploads"}),
            "versions": there.recorded_versions(),
            "deployments of the REST API": there.recorded_deployments(),
            "record": there.names(),
            "lock": [],
        }
        differing = {kind: (there.of(kind), wanted) for kind, wanted in expected.items() if there.of(kind) != wanted}
        wrong = [f"{kind}: {found}, not {wanted}" for kind, (found, wanted) in differing.items()]
        return wrong or self._silent()

    def _silent(self) -> list[str]:
        """The difference in the answer of the deployed API, if any."""
        [api] = boto3.client("apigateway").get_rest_apis()["items"]
        status, answer = self.line.get(f"/_aws/execute-api/{api['id']}/api/devices/v1/hello")
        wanted = (self.mine / "chalicelib" / "__init__.py").read_text().partition("'")[2].rstrip("'\n")
        said = json.loads(answer)["said"] if status == HTTPStatus.OK else answer.decode()
        return [] if said == wanted else [f"the API says {said}, not {wanted}"]

    def left(self) -> list[str]:
        """The resources left over after ``make undeploy``."""
        there = Inventory()
        kinds = (
            "functions",
            "REST APIs",
            "WebSocket APIs",
            "mappings",
            "roles",
            "rules",
            "log groups",
            "layers",
            "lock",
            "record",
        )
        return [f"{kind}: {there.of(kind)}" for kind in kinds if there.of(kind)]


def first_installation(site: Site, faults: Branching) -> str | None:
    """A first deployment fails; the second run completes it, and another admin can remove everything."""
    return site.deploy(faults)


def update(site: Site, faults: Branching) -> str | None:
    """An update fails; the second run completes it. Until then callers reach the old version."""
    site.change("before")
    assert (failed := site.deploy()) is None, failed
    site.change("after")
    return site.deploy(faults)


def removal(site: Site, faults: Branching) -> str | None:
    """A removal fails; a second run by another admin completes it."""
    assert (failed := site.deploy()) is None, failed
    return site.undeploy(faults, folder=site.mine)


SCENARIOS: dict[str, Callable[[Site, Branching], str | None]] = {
    "first": first_installation,
    "update": update,
    "removal": removal,
}


def drill(site: Site, scenario: str, faults: Branching) -> None:
    """Run a scenario, and in each forked child the second run after a failure."""
    first = faults.guarded(lambda: SCENARIOS[scenario](site, faults))
    if not faults.failed:
        assert first is None, first
        return

    def second() -> list[str]:
        again = site.undeploy() if scenario == "removal" else site.deploy()
        if again:
            return [f"second run: {again}"]
        return faults.once(site.line.digest(), lambda: site.left() if scenario == "removal" else whole(site))

    faults.guarded(lambda: faults.end(scenario, first, faults.once(site.line.digest(), second)))


def whole(site: Site) -> list[str]:
    """The differences from a complete deployment, and resources left over when another admin removes it."""
    wrong = site.wrong()
    failed = site.undeploy()
    return wrong + ([f"undeploy: {failed}"] if failed else site.left())


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Start an engine, and create two checkouts of the project."""
    mine, other = folder / "mine", folder / "other"
    for each in (mine, other):
        _project(each)
    with line(folder) as (engine, made):
        enter(engine.env())
        yield Site(made, mine, other)


def _project(folder: Path) -> None:
    """Write the small app into a folder."""
    (folder / ".chalice" / "policies").mkdir(parents=True)
    (folder / "chalicelib").mkdir()
    (folder / "vendor").mkdir()
    (folder / "app.py").write_text(APP)
    (folder / "chalicelib" / "__init__.py").write_text("GREETING = 'before'\n")
    (folder / "vendor" / "drilled.py").write_text("IN_THE_LAYER = True\n")
    (folder / "requirements.txt").write_text("")
    names = ["api_handler", *WORKERS]
    logs = {"Effect": "Allow", "Action": ["logs:PutLogEvents"], "Resource": ["arn:aws:logs:*:*:*"]}
    files = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::configured/*"]}
    queue = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    take = {"Effect": "Allow", "Action": queue, "Resource": [f"arn:aws:sqs:*:*:{QUEUE}"]}
    policy = {"Version": "2012-10-17", "Statement": [logs, files, take]}
    (folder / ".chalice" / "policies" / "all.json").write_text(json.dumps(policy))
    stage = {
        "api_gateway_stage": "api",
        "autogen_policy": False,
        "log_retention_in_days": 1,
        "environment_variables": {"LAMPLIGHTER_STAGE": STAGE, "LAMPLIGHTER_BUCKET": "configured"},
        "lambda_functions": {name: {"iam_policy_file": "policies/all.json"} for name in names},
    }
    config = {
        "version": "2.0",
        "app_name": "lamplighter",
        "api_gateway_endpoint_type": "REGIONAL",
        "automatic_layer": True,
        "minimum_compression_size": 1024,
        "tags": {"app": "lamplighter"},
        "stages": {STAGE: stage},
    }
    (folder / ".chalice" / "config.json").write_text(json.dumps(config))


def in_this_process() -> None:
    """Run all steps of a deployment in this process, where calls can fail, and without pauses for AWS."""

    def chalice(target: Any, command: str, variables: dict[str, str]) -> None:
        added = {target.stage: {"environment_variables": variables, program.RUNTIME: bytecode.here()}}
        with redirect_stdout(sys.stderr):
            failed = program.run(command, target.stage, target.project, added)
        if failed:
            raise deploy.DeployError(failed)

    def manage(*words: str, **_: Any) -> dict[str, Any]:
        if "signing-key" not in words:
            return {"stored": CURRENT}
        try:
            return {"kid": ensure_signing_key()}
        except (AwsError, Unavailable) as error:
            raise deploy.DeployError(str(error)) from error

    def stored(*_: Any, **__: Any) -> str:
        stack = storage.Stack(f"{NAME}-storage", say=_quiet)
        stack.update(STORAGE, {})
        return stack.output("Bucket")

    deploy._chalice, deploy._manage, deploy._stored = chalice, manage, stored
    deploy.say = _quiet  # type: ignore[assignment]
    setattr(lock, "_runs", lambda _: False)  # noqa: B010  # each run represents a process that ends before the next
    setattr(deployer, "Client", partial(Client, sleep=_quiet))  # noqa: B010
    time.sleep = lambda seconds: _sleep(min(float(seconds), 0.02))
    # Otherwise every session reads the descriptions of all services again.
    loader = botocore.loaders.create_loader()
    setattr(botocore.session, "create_loader", lambda *_, **__: loader)  # noqa: B010


def _quiet(*_: Any) -> None:
    pass


def main() -> None:
    """Run the drills of the given scenarios in parallel, and print each result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("scenario", nargs="*", default=list(SCENARIOS), choices=list(SCENARIOS))
    parser.add_argument("--every", type=int, default=0, help="only the first call of each kind, every n-th of these")
    parser.add_argument("--turn", type=int, help="one failure for each call; four runs (0 to 3) cover all")
    parser.add_argument("--page", type=Path, help="write the results as a table")
    given = parser.parse_args()
    if len(given.scenario) > 1 or given.page:
        sys.exit(_side_by_side(given.scenario, given.page))
    os.environ["LAMPLIGHTER_STAGE"] = STAGE
    in_this_process()
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as there:
        folders = [each / ".chalice" / "deployed" for each in (there.mine, there.other)]
        drill(there, given.scenario[0], Branching(there.line, folders, every=given.every, turn=given.turn))


def _side_by_side(scenarios: list[str], where: Path | None) -> str | None:
    """Run each scenario in its own process; returns what was wrong, if anything."""
    words = [each for each in sys.argv[1:] if each.startswith(("--every=", "--turn="))]
    command = [sys.executable, "-m", "tests.drills.deploying", *words]
    with ExitStack() as running:
        processes = [
            running.enter_context(subprocess.Popen([*command, each], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
            for each in scenarios
        ]
        with ThreadPoolExecutor() as reading:
            drills = [found for each in reading.map(_read, processes) for found in each]
    if where:
        report.write(where, drills, KINDS)
    broken = [each for each, process in zip(scenarios, processes, strict=True) if process.returncode]
    wrong = sum(bool(each.wrong) for each in drills)
    if not wrong and not broken:
        return None
    return f"{wrong} of {len(drills)} were not complete" + "".join(f"; {each} failed" for each in broken)


def _read(process: subprocess.Popen[bytes]) -> list[Drill]:
    """Read the drills of a process, and show each when it arrives."""
    found = []
    for text in process.stdout or ():
        print(text.decode(), end="", flush=True)
        found.append(msgspec.json.decode(text, type=Drill))
    return found


if __name__ == "__main__":
    main()

"""Deployments that fail at one of their calls to AWS and are started again: ``python -m tests.drills.deploying``.

A process of its own, since Chalice imports the app that it deploys and sets its variables. It prints one JSON line for
each drill: which call failed and how, and what was wrong after the second run.

The app is small, and has one of each: a REST route, a worker of a queue, a schedule, the three functions of a WebSocket
API, a layer. So each call that a deployment of Lamplighter makes is made here, for fewer functions.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import botocore.client
import botocore.httpsession
import botocore.loaders
import botocore.session
import httpx2
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from infra.deploy import deployer, lock, program, storage
from infra.deploy.client import Client
from infra.deploy.engine import enter
from infra.local.engine.process import REGION, Engine
from infra.migrations import CURRENT
from infra.scripts import bytecode, deploy
from tests.drills.faults import FAULTS, Faults, KilledError, watched
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
    """An engine and two folders with the project: that of the admin who deploys, and another one's."""

    engine: Engine
    mine: Path
    other: Path

    def reset(self) -> None:
        """A new account."""
        request = AWSRequest("POST", f"{self.engine.endpoint}/_ministack/reset", data=b"")
        SigV4Auth(boto3.Session().get_credentials(), "sts", REGION).add_auth(request)
        httpx2.post(request.url, headers=dict(request.headers), timeout=60).raise_for_status()
        for folder in (self.mine, self.other):
            (folder / ".chalice" / "deployed" / f"{STAGE}.json").unlink(missing_ok=True)

    def deploy(self, faults: Faults | None = None) -> str | None:
        """``make deploy``; why it failed, if it did."""
        return self._run(faults, deploy.deploy, public_url="", parameters={}, smoke=False)

    def undeploy(self, faults: Faults | None = None, *, folder: Path | None = None) -> str | None:
        """``make undeploy``, from the other folder unless one is named; why it failed, if it did."""
        return self._run(faults, deploy.undeploy, project=folder or self.other)

    def _run(self, faults: Faults | None, action: Callable[..., None], **options: Any) -> str | None:
        with watched(faults or Faults()):
            try:
                action(STAGE, **{"project": self.mine, **options})
            except deploy.REASONS as error:
                return str(error)
            except KilledError:
                return "killed"
            except Exception as error:  # noqa: BLE001  # what a person would see as a traceback
                return f"{type(error).__name__}: {error}"
        return None

    def change(self, greeting: str) -> None:
        """Another version of the code, as an update has one."""
        (self.mine / "chalicelib" / "__init__.py").write_text(f"GREETING = {greeting!r}\n")

    def wrong(self) -> list[str]:
        """What is not as one whole deployment leaves it."""
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
        """What is wrong with the answer of the deployed API."""
        [api] = boto3.client("apigateway").get_rest_apis()["items"]
        url = f"{self.engine.endpoint}/_aws/execute-api/{api['id']}/api/devices/v1/hello"
        wanted = (self.mine / "chalicelib" / "__init__.py").read_text().partition("'")[2].rstrip("'\n")
        said = httpx2.get(url, timeout=30).raise_for_status().json()["said"]
        return [] if said == wanted else [f"the API says {said}, not {wanted}"]

    def left(self) -> list[str]:
        """What an undeployed stage has left."""
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


@dataclass(frozen=True)
class Drill:
    """One failure, and what became of it."""

    scenario: str
    number: int
    call: str
    failure: str
    first: str
    """How the first run ended."""
    wrong: list[str]
    """What was wrong after the second."""


def first_installation(site: Site, kind: str, number: int) -> Drill:
    """A first deployment fails; the second completes it, and somebody else can remove all of it."""
    site.reset()
    faults = Faults(kind, number)
    first = site.deploy(faults)
    second = site.deploy()
    wrong = [f"second run: {second}"] if second else site.wrong()
    third = site.undeploy()
    wrong += [f"undeploy: {third}"] if third else site.left()
    return _drilled("first", number, faults, first, wrong)


def update(site: Site, kind: str, number: int) -> Drill:
    """An update fails; the second run completes it. Nothing else is called until then than before."""
    site.reset()
    site.change("before")
    assert site.deploy() is None
    site.change("after")
    faults = Faults(kind, number)
    first = site.deploy(faults)
    second = site.deploy()
    wrong = [f"second run: {second}"] if second else site.wrong()
    return _drilled("update", number, faults, first, wrong)


def removal(site: Site, kind: str, number: int) -> Drill:
    """Removing fails; somebody else's second run completes it."""
    site.reset()
    assert site.deploy() is None
    faults = Faults(kind, number)
    first = site.undeploy(faults, folder=site.mine)
    second = site.undeploy()
    wrong = [f"second run: {second}"] if second else site.left()
    return _drilled("removal", number, faults, first, wrong)


SCENARIOS: dict[str, Callable[[Site, str, int], Drill]] = {
    "first": first_installation,
    "update": update,
    "removal": removal,
}


def _drilled(scenario: str, number: int, faults: Faults, first: str | None, wrong: list[str]) -> Drill:
    call = faults.calls[number - 1] if number <= len(faults.calls) else "none"
    return Drill(scenario, number, call, faults.kind, first or "went on by itself", wrong)


def calls_of(site: Site, scenario: str) -> list[str]:
    """The calls of a scenario's first run where nothing fails."""
    site.reset()
    faults = Faults()
    if scenario == "first":
        assert (failed := site.deploy(faults)) is None, failed
        return faults.calls
    site.change("before")
    assert (failed := site.deploy()) is None, failed
    site.change("after")
    failed = site.deploy(faults) if scenario == "update" else site.undeploy(faults, folder=site.mine)
    assert failed is None, failed
    return faults.calls


def chosen(calls: list[str], most: int, offset: int) -> Iterator[tuple[int, str]]:
    """Positions of calls, and a failure for each: the first of every kind of call, or all where ``most`` is 0.

    ``offset`` shifts the failures, so that scenarios and runs of the whole meet others.
    """
    kinds = list(FAULTS)
    seen: Counter[str] = Counter()
    numbered = list(enumerate(calls, 1))
    if most:
        firsts = [(number, call) for number, call in numbered if not seen[call] and not seen.update([call])]
        step = max(1, -(-len(firsts) // most))
        numbered = firsts[offset % step :: step]
    for turn, (number, _) in enumerate(numbered):
        yield number, kinds[(turn + offset) % len(kinds)]


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """An engine with two copies of the project."""
    mine, other = folder / "mine", folder / "other"
    for each in (mine, other):
        _project(each)
    with Engine(folder / "engine", persist=False, auth=True) as engine:
        enter(engine.env())
        yield Site(engine, mine, other)


def _project(folder: Path) -> None:
    """The small app, in a folder of its own."""
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
    """Let all steps of a deployment run here, where calls can fail; and let nobody wait for an engine that is quick."""
    from chalicelib.aws.signing_keys import ensure_signing_key

    def chalice(target: Any, command: str, variables: dict[str, str]) -> None:
        added = {target.stage: {"environment_variables": variables, program.RUNTIME: bytecode.here()}}
        with redirect_stdout(sys.stderr):
            failed = program.run(command, target.stage, target.project, added)
        if failed:
            raise deploy.DeployError(failed)

    def manage(*words: str, **_: Any) -> dict[str, Any]:
        return {"kid": ensure_signing_key()} if "signing-key" in words else {"stored": CURRENT}

    def stored(*_: Any, **__: Any) -> str:
        stack = storage.Stack(f"{NAME}-storage", say=_quiet)
        stack.update(STORAGE, {})
        return stack.output("Bucket")

    deploy._chalice, deploy._manage, deploy._stored = chalice, manage, stored
    deploy.say = _quiet  # type: ignore[assignment]
    setattr(lock, "_runs", lambda _: False)  # noqa: B010  # each run stands for a process, which the next finds ended
    setattr(deployer, "Client", partial(Client, sleep=_quiet))  # noqa: B010
    time.sleep = lambda seconds: _sleep(min(float(seconds), 0.02))
    # Every session would read the descriptions of all services again.
    loader = botocore.loaders.create_loader()
    setattr(botocore.session, "create_loader", lambda *_, **__: loader)  # noqa: B010


def _quiet(*_: Any) -> None:
    pass


def main() -> None:
    """Run drills of the scenarios that are named, and print each as it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("scenario", nargs="*", default=list(SCENARIOS), choices=list(SCENARIOS))
    parser.add_argument("--most", type=int, default=0, help="about how many of each; without, every call")
    parser.add_argument("--offset", type=int, default=0, help="which failures meet which calls")
    given = parser.parse_args()
    os.environ["LAMPLIGHTER_STAGE"] = STAGE
    in_this_process()
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as there:
        for scenario in given.scenario:
            for number, kind in chosen(calls_of(there, scenario), given.most, given.offset):
                drill = SCENARIOS[scenario](there, kind, number)
                print(json.dumps(asdict(drill)), flush=True)


if __name__ == "__main__":
    main()

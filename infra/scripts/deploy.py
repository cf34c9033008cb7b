"""``make deploy`` and ``make undeploy``: a stage on AWS, or on the embedded engine (docs/install.md).

Each step may be repeated: a deployment that broke off goes on by being started again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy import engine, program, storage
from infra.deploy.stage import Deployed, NotDeployedError, SecretError
from infra.local import private
from infra.scripts.package import ROOT
from infra.scripts.smoke import Smoke

LAST = Path(".local") / "deployed.json"
"""Where a project keeps what was deployed last from it, for ``make smoke``."""


class DeployError(Exception):
    """A step failed; the message says how."""


def deploy(
    stage: str,
    *,
    public_url: str,
    parameters: dict[str, str],
    smoke: bool,
    with_storage: bool = True,
    project: Path = ROOT,
) -> None:
    """Bring a stage up to date with this folder, and check that it works.

    Without its storage, what a newer version made there stays.

    Raises:
        DeployError: a step failed; those before it are done.
    """
    target = Deployed(stage, project)
    config = target.config
    _to_engine(target)
    if with_storage:
        say("storage")
        bucket = target.configured["LAMPLIGHTER_BUCKET"]
        say(f"  {storage.ensure(stage, {'Bucket': bucket, **parameters})}")
    say("keys")
    say(f"  active: {_manage(stage, 'signing-key', 'ensure')['kid']}")
    say("functions and APIs")
    _chalice(target, "deploy", target.variables(target.public_url(public_url)))
    target = Deployed(stage, project)
    url = target.public_url(public_url)
    target.answer_in_our_shape()
    target.keep_logs_for(config["log_retention_in_days"])
    target.tell_public_url(url)
    last = project / LAST
    private.folder(last.parent)
    last.write_text(json.dumps({"stage": stage}) + "\n")
    say(f"server:    {url}")
    say(f"websocket: {target.websocket_url}")
    if smoke and not smoke_stage(target):
        raise DeployError("the stage is deployed, but does not work")


def undeploy(stage: str, *, project: Path = ROOT) -> None:
    """Remove functions, APIs, roles and logs of a stage. On AWS, everything that is stored stays.

    Raises:
        DeployError: Chalice could not.
    """
    target = Deployed(stage, project)
    own_engine = stage == engine.STAGE and not os.environ.get("AWS_ENDPOINT_URL")
    if own_engine:
        variables = engine.LocalAws().variables()
        if variables is None:
            target.note.unlink(missing_ok=True)  # the engine has ended, and all that was in it
            say("nothing is deployed")
            return
        engine.enter(variables)
    groups = target.all_log_groups
    if target.resources:
        _chalice(target, "delete", {})
        target.delete_logs(groups)
    if own_engine:
        engine.LocalAws().stop()
        say("the engine has ended")


def smoke_stage(target: Deployed) -> bool:
    """Check a stage with a tenant that is made for it and removed again; whether it works."""
    password = secrets.token_urlsafe(18)
    email = f"smoke-{secrets.token_hex(4)}@example.com"
    tenant = _manage(target.stage, "tenant", "create", "smoke test")
    try:
        _manage(target.stage, "user", "create", email, "--tenant", tenant["id"], password=password)
        return Smoke(target.url, email, password, websocket_url=target.websocket_url, report=say).run()
    finally:
        _manage(target.stage, "tenant", "remove", tenant["id"], "--yes")


def smoke_last() -> bool:
    """Check what was deployed last from this folder; whether it works.

    Raises:
        DeployError: nothing was.
    """
    last = ROOT / LAST
    if not last.exists():
        raise DeployError("nothing was deployed from here: make smoke URL=... EMAIL=... PASSWORD=...")
    target = Deployed(json.loads(last.read_text())["stage"])
    _to_engine(target, start=False)
    return smoke_stage(target)


def _to_engine(target: Deployed, *, start: bool = True) -> None:
    """For the stage that lives on the embedded engine: find it, or start it."""
    if target.stage != engine.STAGE or os.environ.get("AWS_ENDPOINT_URL"):
        return
    local = engine.LocalAws()
    if not start:
        variables = local.variables()
        if variables is None:
            raise DeployError(f"the engine does not run: make deploy STAGE={target.stage}")
    else:
        variables, fresh = local.ensure()
        say(f"engine: {variables['AWS_ENDPOINT_URL']} (until `make undeploy STAGE={target.stage}`)")
        if fresh:
            target.note.unlink(missing_ok=True)  # of an engine that has ended
    engine.enter(variables)


def _chalice(target: Deployed, command: str, variables: dict[str, str]) -> None:
    added: dict[str, Any] = {"environment_variables": variables} if variables else {}
    if os.environ.get("AWS_ENDPOINT_URL"):
        arm = platform.machine() in ("aarch64", "arm64")
        added["lambda_architecture"] = "arm64" if arm else "x86_64"
    words = [sys.executable, "-m", program.__name__, "--project-dir", str(target.project), command]
    environment = _inherited() | {program.ADDED: json.dumps({target.stage: added})}
    done = subprocess.run([*words, "--stage", target.stage], cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise DeployError(f"chalice {command} failed")


def _manage(stage: str, *words: str, password: str = "") -> Any:
    command = [sys.executable, "-m", "infra.manage", "--stage", stage, *words, "--json"]
    if password:
        command += ["--password", "-"]
    done = subprocess.run(
        command, cwd=ROOT, env=_inherited(), input=password, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DeployError(done.stderr.strip() or done.stdout.strip())
    return json.loads(done.stdout)


def _inherited() -> dict[str, str]:
    # The settings of a stage come from its configuration and not from whoever happens to deploy it; but for secrets.
    return {name: value for name, value in os.environ.items() if not name.startswith("LAMPLIGHTER_")}


def say(text: str) -> None:
    """Tell the person at the terminal."""
    print(text, flush=True)


def main() -> None:
    """Run, and leave with a word on what failed."""
    parser = argparse.ArgumentParser(description="Deploy a stage.")
    parser.add_argument("action", choices=["deploy", "undeploy"])
    parser.add_argument("--stage", required=True)
    parser.add_argument("--public-url", default="", help="where devices reach it, if not at API Gateway's own name")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="of the storage stack")
    parser.add_argument("--no-storage", action="store_true", help="leave storage as it is, as to go back a version")
    parser.add_argument("--no-smoke", action="store_true", help="don't check whether it works")
    parser.add_argument("--project", type=Path, default=ROOT, help=argparse.SUPPRESS)
    given = parser.parse_args()
    parameters = dict(each.split("=", 1) for each in given.parameter)
    try:
        if given.action == "undeploy":
            undeploy(given.stage, project=given.project)
        else:
            url = given.public_url.rstrip("/")
            deploy(
                given.stage,
                public_url=url,
                parameters=parameters,
                smoke=not given.no_smoke,
                with_storage=not given.no_storage,
                project=given.project,
            )
    except (DeployError, NotDeployedError, SecretError, storage.StackError, BotoCoreError, ClientError) as error:
        sys.exit(f"{given.action}: {error}")


if __name__ == "__main__":
    main()

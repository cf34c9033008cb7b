"""``make deploy``, ``make rollback``, ``make undeploy``: a stage on AWS or the embedded engine (docs/install.md).

Each step may be repeated: after an interruption anywhere, start the deployment again to continue.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy import bytecode, destination, engine, gateway, lock, program, releases, storage
from infra.deploy.functions import stage_of
from infra.deploy.record import Release
from infra.deploy.smoke import Smoke
from infra.deploy.stage import Deployed, NotDeployedError, SecretError
from infra.local import private
from infra.migrations import CURRENT
from infra.paths import ROOT
from infra.scripts.stack import BUCKET, BUCKET_OWNER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.deploy.destination import Destination
    from infra.deploy.functions import Step

LAST = Path(".local") / "deployed.json"
"""The file of a project with the last deployed stage, for ``make smoke``."""


class DeployError(Exception):
    """A step failed; the message says how."""


REASONS = (
    DeployError,
    NotDeployedError,
    SecretError,
    BotoCoreError,
    ClientError,
    gateway.NoLogRoleError,
    lock.LockedError,
    destination.DestinationError,
    releases.NotReadyError,
    releases.NoWayBackError,
    releases.TurnedBackError,
    storage.StackError,
)
"""Errors that a person can fix: only the message is printed."""


def deploy(
    stage: str,
    *,
    public_url: str,
    parameters: dict[str, str],
    smoke: bool,
    with_storage: bool = True,
    at_once: bool = False,
    break_lock: bool = False,
    project: Path = ROOT,
) -> None:
    """Bring a stage up to date with this folder, put it into service, and check that it works.

    Without its storage, changes by a newer version stay there. ``at_once``: without the stage's steps.

    Raises:
        DeployError: a step failed; earlier ones are done.
        NotReadyError: the snapshot of a new version failed; the previous release is live.
        TurnedBackError: an alarm went off while the release was put into service; the previous one is live again.
    """
    target = Deployed(stage, project)
    config = target.config
    _to_engine(target)
    with _alone(target, break_lock=break_lock) as (where, renew):
        gateway.refuse_without_role(stage_of(stage))
        installation = target.installation
        installation.account, installation.region = where.account, where.region
        say("storage")
        origins = target.browser_origins(public_url)
        told = storage.origins_parameter(origins) | parameters
        installation.bucket = _stored(target, told, with_storage=with_storage)
        target.record.save(installation)
        say("keys")
        say(f"  active: {_manage(stage, 'signing-key', 'ensure')['kid']}")
        renew()
        say("functions and APIs")
        variables = {
            BUCKET: installation.bucket,
            BUCKET_OWNER: where.account,
            **target.variables(target.public_url(public_url)),
        }
        _chalice(target, "deploy", variables)
        renew()
        target = Deployed(stage, project)
        url = target.public_url(public_url)
        target.settle(url)
        _settle_apis(target, where.account)
        # After a first deployment the console's URL is known. Origins that were set by hand are kept.
        served = target.browser_origins(public_url)
        if with_storage and served != origins and storage.ORIGINS not in parameters:
            say(f"  {storage.allow_origins(stage, served)}")
        say("release")
        number = _release(target, config["api_gateway_stage"], steps=() if at_once else stage_of(stage).steps)
    last = project / LAST
    private.folder(last.parent)
    last.write_text(json.dumps({"stage": stage}) + "\n")
    say(f"  {number} is live")
    say(f"server:    {url}")
    say(f"websocket: {target.websocket_url}")
    if smoke and not smoke_stage(target):
        raise DeployError("the stage is deployed, but the check of it failed")


def undeploy(stage: str, *, break_lock: bool = False, project: Path = ROOT) -> None:
    """Remove functions, APIs, roles and logs of a stage. On AWS, stored data is kept.

    Raises:
        DeployError: Chalice failed.
    """
    target = Deployed(stage, project)
    own_engine = stage == engine.STAGE and not os.environ.get("AWS_ENDPOINT_URL")
    if own_engine:
        variables = engine.LocalAws().variables()
        if variables is None:
            target.copy.unlink(missing_ok=True)  # the engine was stopped, and its data is lost
            say("nothing is deployed")
            return
        engine.enter(variables)
    with _alone(target, break_lock=break_lock):
        _chalice(target, "delete", {})
    if own_engine:
        engine.LocalAws().stop()
        say("the engine was stopped")


def rollback(stage: str, number: int, *, break_lock: bool = False, project: Path = ROOT) -> None:
    """Roll back to the release before the live one, or to the one with this number. Takes seconds.

    Raises:
        NoWayBackError: there is no such release, or its code cannot read the stored data.
    """
    target = Deployed(stage, project)
    _to_engine(target, start=False)
    with _alone(target, break_lock=break_lock):
        installation = target.installation
        stored = _manage(stage, "migrate", "--check", allowed=(0, 4))["stored"]
        back = releases.to_go_back_to(installation, number, stored)
        functions, _, apis = _clients(target)
        functions.settle(back.versions)
        stage_name = target.config["api_gateway_stage"]
        releases.serve_deployment(apis, target.one("rest_api")["rest_api_id"], stage_name, back.gateway)
        installation.live = back.number
        target.record.save(installation)
    say(f"release {back.number} of {back.at} is live")


def list_releases(stage: str, *, project: Path = ROOT) -> None:
    """Print the recorded releases, and which one is live."""
    target = Deployed(stage, project)
    _to_engine(target, start=False)
    destination.here()
    for each in target.installation.releases:
        live = "  live" if each.number == target.installation.live else ""
        say(f"{each.number:5}  {each.at}  {each.code}{live}")


@contextmanager
def _alone(target: Deployed, *, break_lock: bool) -> Iterator[tuple[Destination, Callable[[], None]]]:
    """Check the destination, and lock the stage for this deployment."""
    where = destination.here()
    destination.refuse_elsewhere(target.stage, where.region)
    with lock.held(target.stage, by_force=break_lock) as renew:
        destination.refuse_foreign(target.stage, target.installation, where)
        yield where, renew


def _stored(target: Deployed, parameters: dict[str, str], *, with_storage: bool) -> str:
    """Update the storage; returns the name of the bucket."""
    if with_storage:
        stored = storage.ensure(target.stage, stage_of(target.stage).own_bucket, parameters)
        say(f"  {stored.done}")
        return stored.bucket
    say("  not changed")
    if os.environ.get("AWS_ENDPOINT_URL"):
        return target.configured[BUCKET]
    return storage.Stack(f"lamplighter-{target.stage}-storage").output("Bucket")


def _settle_apis(target: Deployed, account: str) -> None:
    changed = gateway.settle(
        stage_of(target.stage),
        name=target.config["api_gateway_stage"],
        rest_api=target.one("rest_api")["rest_api_id"],
        websocket_api=target.one("websocket_api")["websocket_api_id"],
        account=account,
    )
    for each in changed:
        say(f"  {each}")


def _clients(target: Deployed) -> tuple[releases.Functions, releases.Alarms, Any]:
    lambdas, watch, apis = releases.clients()
    return releases.Functions(tuple(target.functions), lambdas), releases.Alarms(target.stage, watch), apis


def _release(target: Deployed, stage_name: str, *, steps: tuple[Step, ...]) -> int:
    """Publish the functions and put them into service; returns the number of the release."""
    installation = target.installation
    functions, alarms, apis = _clients(target)
    api = target.one("rest_api")
    before = installation.release(installation.live)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if stage_of(target.stage).snap_start:
        say("  making a snapshot, which takes some minutes")
    versions = functions.publish()
    same = before is not None and before.versions == versions
    number = before.number if before and same else 1 + max((each.number for each in installation.releases), default=0)
    made = Release(number, now, CURRENT, versions, api["deployment_id"], _commit(target.project))
    releases.put_into_service(functions, made, steps=steps, alarms=alarms, say=say)
    releases.serve_deployment(apis, api["rest_api_id"], stage_name, made.gateway)
    installation.releases = [each for each in installation.releases if each.number != number]
    target.record.save(releases.noted(installation, made))
    functions.prune(installation.releases)
    releases.prune_deployments(apis, api["rest_api_id"], installation.releases)
    return number


def _commit(project: Path) -> str:
    """The deployed commit; empty outside of a git checkout."""
    command = ["git", "-C", str(project), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def smoke_stage(target: Deployed) -> bool:
    """Check a stage with a temporary tenant; returns whether it works."""
    password = secrets.token_urlsafe(18)
    email = f"smoke-{secrets.token_hex(4)}@example.com"
    tenant = _manage(target.stage, "tenant", "create", "smoke test")
    try:
        _manage(target.stage, "user", "create", email, "--tenant", tenant["id"], password=password)
        return Smoke(target.url, email, password, websocket_url=target.websocket_url, report=say).run()
    finally:
        _manage(target.stage, "tenant", "remove", tenant["id"], "--yes")


def smoke_last() -> bool:
    """Check the stage that was last deployed from this folder; returns whether it works.

    Raises:
        DeployError: nothing was deployed.
    """
    last = ROOT / LAST
    if not last.exists():
        raise DeployError(
            "nothing was deployed from this folder; name a server: make smoke URL=... EMAIL=... PASSWORD=..."
        )
    target = Deployed(json.loads(last.read_text())["stage"])
    _to_engine(target, start=False)
    return smoke_stage(target)


def _to_engine(target: Deployed, *, start: bool = True) -> None:
    """For the stage on the embedded engine: find the engine, or start it."""
    if target.stage != engine.STAGE or os.environ.get("AWS_ENDPOINT_URL"):
        return
    local = engine.LocalAws()
    if not start:
        variables = local.variables()
        if variables is None:
            raise DeployError(f"the engine is not running; start it with: make deploy STAGE={target.stage}")
    else:
        variables, fresh = local.ensure()
        say(f"engine: {variables['AWS_ENDPOINT_URL']} (until `make undeploy STAGE={target.stage}`)")
        if fresh:
            target.copy.unlink(missing_ok=True)  # of an engine that was stopped
    engine.enter(variables)


def _chalice(target: Deployed, command: str, variables: dict[str, str]) -> None:
    added: dict[str, Any] = {"environment_variables": variables} if variables else {}
    if os.environ.get("AWS_ENDPOINT_URL"):
        arm = platform.machine() in ("aarch64", "arm64")
        added |= {"lambda_architecture": "arm64" if arm else "x86_64", program.RUNTIME: bytecode.here()}
    elif command == "deploy":
        _compare_pythons(target.stage)
    words = [sys.executable, "-m", program.__name__, command, target.stage, str(target.project)]
    environment = _inherited() | {program.ADDED: json.dumps({target.stage: added})}
    done = subprocess.run(words, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise DeployError(f"chalice {command} failed; start it again to continue from here")


def _compare_pythons(stage: str) -> None:
    """Print a notice if the functions' Python is not this one."""
    wanted = stage_of(stage).runtime or bytecode.here()
    if wanted == bytecode.here():
        return
    say(f"  the functions run on {wanted}, but .venv has {bytecode.here()}: libraries are downloaded for {wanted}")
    if bytecode.interpreter(wanted) is None:
        say(f"  there is no {wanted} on the path to compile byte code: each cold start will take about three times as")
        say(f"  long. Install it, or make distclean and make PYTHON=/path/to/{wanted} deploy ...")


def _manage(stage: str, *words: str, password: str = "", allowed: tuple[int, ...] = (0,)) -> Any:
    command = [sys.executable, "-m", "infra.manage", "--stage", stage, *words, "--json"]
    if password:
        command += ["--password", "-"]
    done = subprocess.run(
        command, cwd=ROOT, env=_inherited(), input=password, capture_output=True, text=True, check=False
    )
    if done.returncode not in allowed:
        raise DeployError(done.stderr.strip() or done.stdout.strip())
    return json.loads(done.stdout)


def _inherited() -> dict[str, str]:
    # The settings of a stage come from its configuration and not from the environment, except secrets.
    return {name: value for name, value in os.environ.items() if not name.startswith("LAMPLIGHTER_")}


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)


def main() -> None:
    """Run; on failure, exit with a message."""
    parser = argparse.ArgumentParser(description="Deploy a stage.")
    parser.add_argument("action", choices=["deploy", "undeploy", "rollback", "releases"])
    parser.add_argument("--stage", required=True)
    parser.add_argument("--public-url", default="", help="the URL for devices, if it is not API Gateway's")
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="name of the storage stack"
    )
    parser.add_argument(
        "--no-storage", action="store_true", help="do not change the storage, for deploying an older version"
    )
    parser.add_argument("--no-smoke", action="store_true", help="do not check the stage afterwards")
    parser.add_argument("--at-once", action="store_true", help="send all calls to the new release, without steps")
    parser.add_argument("--to", type=int, default=0, metavar="NUMBER", help="the release to roll back to")
    parser.add_argument(
        "--break-lock", action="store_true", help="take over the lock of another deployment that you know has ended"
    )
    parser.add_argument("--project", type=Path, default=ROOT, help=argparse.SUPPRESS)
    given = parser.parse_args()
    try:
        match given.action:
            case "undeploy":
                undeploy(given.stage, break_lock=given.break_lock, project=given.project)
            case "rollback":
                rollback(given.stage, given.to, break_lock=given.break_lock, project=given.project)
            case "releases":
                list_releases(given.stage, project=given.project)
            case _:
                deploy(
                    given.stage,
                    public_url=given.public_url.rstrip("/"),
                    parameters=dict(each.split("=", 1) for each in given.parameter),
                    smoke=not given.no_smoke,
                    with_storage=not given.no_storage,
                    at_once=given.at_once,
                    break_lock=given.break_lock,
                    project=given.project,
                )
    except REASONS as error:
        sys.exit(f"{given.action}: {error}")


if __name__ == "__main__":
    main()

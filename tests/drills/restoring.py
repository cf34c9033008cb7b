"""Restores a deployed stage from a backup, by the steps of docs/operations.md: ``python -m tests.drills.restoring``.

Lamplighter itself is deployed to the embedded engine, with policies enforced. It prints the time of each step:
an installation is out of service from step 3 to step 5.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2

from infra.deploy.functions import FUNCTIONS, STAGES, deployed_name
from infra.deploy.policies import policy
from infra.local.engine.process import Engine
from infra.scripts import chalice_config
from tests.deploy.stage import EMAIL, PASSWORD, STAGE, Stage, copy_project

PREFIX = f"lamplighter-{STAGE}-r1-"
TOKENS = "/api/management/v1/useradm/settings/tokens"
NAMES = [deployed_name(each, STAGE) for each in FUNCTIONS]


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print the time that a step took."""
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)


def point(stage: Stage, tables: str) -> None:
    """Make the stage use other tables, as a change of ``infra/deploy/functions.py`` and ``make docs`` would."""
    [known] = [replace(each, tables=tables) for each in STAGES if each.name == STAGE]
    path = stage.project / ".chalice" / "config.json"
    config = json.loads(path.read_text())
    wanted = chalice_config._stage(known)["environment_variables"]
    config["stages"][STAGE]["environment_variables"] |= wanted
    path.write_text(json.dumps(config))
    for function in FUNCTIONS:
        role = config["stages"][STAGE]["lambda_functions"][function.name]["iam_policy_file"]
        (stage.project / ".chalice" / role).write_text(json.dumps(policy(function, known)))


class Site:
    """A deployed stage with one user."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._lambda = stage.client("lambda")

    def log_in(self) -> httpx2.Client:
        """Log in; returns the user's client."""
        login = httpx2.post(
            f"{self._stage.url}/api/management/v1/useradm/auth/login", auth=(EMAIL, PASSWORD), timeout=60
        )
        assert login.status_code == HTTPStatus.OK, login.text
        return httpx2.Client(base_url=self._stage.url, headers={"Authorization": f"Bearer {login.text}"}, timeout=60)

    def note(self, name: str) -> None:
        """Create data that can be found later."""
        with self.log_in() as api:
            assert api.post(TOKENS, json={"name": name, "expires_in": 3600}).status_code == HTTPStatus.OK

    def noted(self) -> set[str]:
        """The created data that exists now."""
        with self.log_in() as api:
            return {each["name"] for each in api.get(TOKENS).json()}

    def stop(self) -> None:
        """Stop all functions."""
        for name in NAMES:
            self._lambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)

    def start(self) -> None:
        """Start all functions again."""
        for name in NAMES:
            self._lambda.delete_function_concurrency(FunctionName=name)

    def stopped(self) -> bool:
        """Whether all functions are stopped. Unlike AWS, the engine continues with running processes."""
        reserved = [self._lambda.get_function_concurrency(FunctionName=name) for name in NAMES]
        return all(each.get("ReservedConcurrentExecutions") == 0 for each in reserved)

    def prefixes(self) -> set[Any]:
        """The table prefixes of the called functions."""
        called = [self._lambda.get_function_configuration(FunctionName=name, Qualifier="live") for name in NAMES]
        return {each["Environment"]["Variables"]["LAMPLIGHTER_TABLE_PREFIX"] for each in called}


def run(stage: Stage) -> None:
    """All steps."""
    with timed("a first deployment"):
        stage.deploy()
    tenant = stage.manage("tenant", "create", "Acme")
    stage.manage("user", "create", EMAIL, "--tenant", tenant["id"], "--password", PASSWORD)
    site = Site(stage)
    site.note("before")
    with timed("step 1: restore all tables, next to the server's own"):
        assert len(stage.manage("backup", "restore", PREFIX)["tables"]) >= 14
    site.note("after")
    with timed("step 3: stop the functions"):
        site.stop()
        assert site.stopped()
    with timed("step 4: point the functions at the restored tables"):
        point(stage, PREFIX)
        stage.deploy("--no-storage", "--at-once")
    assert site.stopped(), "the deployment has started functions"
    assert site.prefixes() == {PREFIX}
    with timed("step 5: let the functions run again"):
        site.start()
        assert site.noted() == {"before"}
    site.note("since")
    with timed("back to the original tables"):
        site.stop()
        point(stage, "")
        stage.deploy("--no-storage", "--at-once")
        site.start()
        assert site.noted() == {"before", "after"}


def main() -> None:
    """Run the drill."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        copy_project(folder / "project")
        with Engine(folder / "engine", persist=False, auth=True) as engine:
            run(Stage(engine, folder / "project"))


if __name__ == "__main__":
    main()

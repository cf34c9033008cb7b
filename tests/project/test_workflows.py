"""CI workflows run the project's own commands with minimal permissions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
workflows = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def read(path: Path) -> dict[str, Any]:
    """A workflow. YAML 1.1 takes its key ``on`` for true."""
    loaded = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in loaded.items()}


def commands(workflow: dict[str, Any]) -> list[str]:
    """Every line that it runs."""
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [line for step in steps for line in step.get("run", "").splitlines()]


def test_every_push_and_every_pull_request_runs_the_ci_script() -> None:
    workflow = read(ROOT / ".github" / "workflows" / "ci.yml")

    assert {"push", "pull_request"} <= workflow["on"].keys()
    assert any(".ci/run" in line for line in commands(workflow))
    assert {"make licences", "make audit", "make package STAGE=prod"} <= set(commands(workflow))


@workflows
def test_the_commands_exist(path: Path) -> None:
    called = {found for line in commands(read(path)) for found in re.findall(r"\bmake ([a-z-]+)", line)}

    assert called
    assert called <= TARGETS


@workflows
def test_permissions_are_explicit_and_minimal(path: Path) -> None:
    rights = read(path)["permissions"]

    assert rights.pop("contents") == "read"
    assert rights in ({}, {"id-token": "write"})


@workflows
def test_no_input_is_expanded_inside_a_script(path: Path) -> None:
    """An expression inside of ``run`` becomes part of the script, whatever it holds: it has to come by ``env``."""
    assert [line for line in commands(read(path)) if "${{" in line] == []


def test_deploying_is_started_by_hand_and_stores_no_key() -> None:
    workflow = read(ROOT / ".github" / "workflows" / "deploy.yml")
    steps = workflow["jobs"]["deploy"]["steps"]
    [signed_in] = [step["with"] for step in steps if "configure-aws-credentials" in step.get("uses", "")]

    assert workflow["on"].keys() == {"workflow_dispatch"}
    assert signed_in.keys() == {"role-to-assume", "aws-region"}
    assert any(line.startswith("make undeploy") for line in commands(workflow))

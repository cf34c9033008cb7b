"""A deployment that failed at a call to AWS is completed by starting it again (docs/install.md).

Tries the first calls of some kinds, each with another failure. ``make drill`` lets every call fail.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from infra.paths import ROOT

EVERY = {"first": 6, "update": 9, "removal": 4}
"""For each scenario, every n-th kind of call fails."""


@pytest.mark.slow
@pytest.mark.parametrize("scenario", EVERY)
def test_a_failed_deployment_is_completed_by_starting_it_again(scenario: str) -> None:
    drills = run_drills(scenario, f"--every={EVERY[scenario]}")

    assert len(drills) >= 4
    assert len({each["failure"] for each in drills}) >= 4
    assert any(each["first"] != "succeeded anyway" for each in drills), "no first run failed"
    assert [each for each in drills if each["wrong"]] == []


def run_drills(*words: str) -> list[dict[str, Any]]:
    """Run drills in a new process; returns their results."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMPLIGHTER_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.drills.deploying", *words],
        cwd=ROOT,
        env=inherited,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]

"""A deployment that fails at a call to AWS is complete after starting it again (docs/install.md).

A few calls of each scenario, the first of their kind, each with another failure. ``make drill`` fails every call.
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
"""Of the kinds of calls of each scenario, one in so many fails."""


@pytest.mark.slow
@pytest.mark.parametrize("scenario", EVERY)
def test_a_failed_deployment_is_completed_by_starting_it_again(scenario: str) -> None:
    drills = failing(scenario, f"--every={EVERY[scenario]}")

    assert len(drills) >= 4
    assert len({each["failure"] for each in drills}) >= 4
    assert any(each["first"] != "went on by itself" for each in drills), "no first run failed"
    assert [each for each in drills if each["wrong"]] == []


def failing(*words: str) -> list[dict[str, Any]]:
    """What became of drills."""
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

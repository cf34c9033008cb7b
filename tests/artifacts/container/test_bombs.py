"""Parsing artifacts that claim or expand to far more than their size ends in time and in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.artifacts.container.bombs import CASES

PROGRAM = [sys.executable, "-m", "tests.artifacts.container.bombs"]


@pytest.mark.parametrize("name", CASES)
def test_parsing_a_bomb_is_bounded(name):
    case = CASES[name]
    with subprocess.Popen([*PROGRAM, "make", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as maker:
        run = subprocess.run(
            [*PROGRAM, "parse", name],
            stdin=maker.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stderr[-2000:]
    result = json.loads(run.stdout)
    assert case.text in result["text"] if case.text else not result["text"]
    assert result["growth"] < case.growth

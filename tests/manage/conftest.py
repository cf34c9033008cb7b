"""Runs the admin's command as a separate program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from infra.paths import ROOT

if TYPE_CHECKING:
    from infra.local.testing import LocalServer

Manage = Callable[..., subprocess.CompletedProcess[str]]


def run(environment: dict[str, str], *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command with these variables, without others that it would read."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMPLIGHTER_"))}
    return subprocess.run(
        [sys.executable, "-m", "infra.manage", *words],
        cwd=ROOT,
        env=inherited | environment,
        input=typed,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def manage(server: LocalServer) -> Manage:
    """The command, for the session's server."""

    def on_server(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return run(server.engine.env(), *words, typed=typed)

    return on_server


@pytest.fixture
def done(manage: Manage) -> Callable[..., str]:
    """Run a command that has to succeed; returns its output."""

    def succeed(*words: str, typed: str = "") -> str:
        result = manage(*words, typed=typed)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    return succeed


@pytest.fixture
def document(done: Callable[..., str]) -> Callable[..., Any]:
    """Run a command with ``--json`` that has to succeed; returns the document."""
    return lambda *words, typed="": json.loads(done(*words, "--json", typed=typed))

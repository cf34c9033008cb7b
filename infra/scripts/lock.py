"""``make lock``: writes ``requirements*.txt``, the pins of ``requirements*.in`` with all dependencies and hashes.

A lock is valid for every platform and Python that Lamplighter supports. Locked packages keep their version, unless a
pin or an option (``ARGS=--upgrade``, ``ARGS='--upgrade-package NAME'``) says otherwise.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from typing import Final

from infra.paths import ROOT

SETS: Final = (
    "requirements",
    "requirements-dev",  # after the shipped ones, whose versions it uses
    "infra/relay/requirements",  # after the tested ones
    "requirements-engine",
    "requirements-audit",
    "requirements-templates",
    "requirements-docs",
    "requirements-ui",
)
OLDEST_PYTHON: Final = "3.11"
OPTIONS: Final = (
    "--universal",
    "--generate-hashes",
    "--no-strip-extras",  # pip before 23.3 does not use the hashes of "coverage" for "coverage[toml]"
    "--python-version=" + OLDEST_PYTHON,
    "--annotation-style=line",
    "--custom-compile-command=make lock",
    "--no-config",
    "--quiet",
)


def index() -> dict[str, str]:
    """Variables that set uv to pip's package index, since uv does not read pip's settings."""
    settings = pip_settings()
    found = {"UV_DEFAULT_INDEX": settings.get("index-url"), "SSL_CERT_FILE": settings.get("cert")}
    return {name: value for name, value in found.items() if value and name not in os.environ}


def pip_settings() -> dict[str, str]:
    """Global settings of pip: those of its files, overridden by its variables."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, dict[str, str]] = {"global": {}, ":env:": {}}
    for line in said.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        found.setdefault(section, {})[name] = ast.literal_eval(value)
    return found["global"] | found[":env:"]


def main() -> int:
    """Lock each set with the uv that is the first argument; the others are options for it."""
    uv, *more = sys.argv[1:]
    environment = os.environ | index()
    for name in SETS:
        files = [f"{name}.in", f"--output-file={name}.txt"]
        done = subprocess.run([uv, "pip", "compile", *OPTIONS, *more, *files], cwd=ROOT, env=environment, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())

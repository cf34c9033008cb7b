"""The house itself: sizes, docstrings, what a cold start loads, what is pinned. Nothing that it does."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.scripts.package import ROOT

CODE = ("app.py", "chalicelib", "infra", "tests")
LONGEST_MODULE = 400
LONGEST_COMPOSITION_ROOT = 59
# In times of `import botocore.session`, measured in the same run. It is 1.5 to 1.63; the rest is room for the machine.
IMPORT_BUDGET = 1.75
NEVER_BEFORE_A_TOKEN = (
    "cryptography",  # 10 ms, and as much again for what jwt asks of it
    "http.cookies",
    "jwt",
)
NEVER_AT_START = (
    "argon2",  # logins only
    "asyncio",  # the relay and the local gateway
    "aws_xray_sdk",  # half a second
    "boto3",  # botocore's signer does it
    "chalice.cli",
    "chalice.deploy",
    "chalice.local",
    "infra",
    "pydantic",  # 100 ms
    "rich",
    "s3transfer",
    "starlette",
    "tarfile",  # artifact parsing
    "tests",
    "uvicorn",
)


def modules() -> list[Path]:
    found = [ROOT / "app.py"]
    for folder in CODE[1:]:
        found += sorted((ROOT / folder).rglob("*.py"))
    return found


def named(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in paths]


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("path", named(modules()))
def test_a_module_fits_a_head_and_says_what_it_is(path: Path) -> None:
    source = path.read_text()

    assert len(source.splitlines()) <= LONGEST_MODULE, "split it: one file, one room"
    assert not source.strip() or ast.get_docstring(ast.parse(source)), "a module opens with its docstring"


def test_the_composition_root_stays_small() -> None:
    assert len((ROOT / "app.py").read_text().splitlines()) <= LONGEST_COMPOSITION_ROOT


def test_nothing_names_a_machine() -> None:
    checkout = re.escape(f"{ROOT}/")
    home = r"(?<![\w.:}$/-])/(?:home|root|Users)/[\w.-]+"
    pattern = re.compile(f"{checkout}|{home}")

    found = {}
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        if match := pattern.search(text):
            found[path.relative_to(ROOT).as_posix()] = match.group()

    assert found == {}


def in_fresh_interpreter(code: str) -> str:
    environment = {**os.environ, "AWS_LAMBDA_FUNCTION_NAME": "api_handler"}
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_cold_start_loads_nothing_that_it_does_not_need() -> None:
    loaded = set(json.loads(in_fresh_interpreter("import json, sys, app; print(json.dumps(list(sys.modules)))")))

    assert loaded & {*NEVER_AT_START, *NEVER_BEFORE_A_TOKEN} == set()
    assert [name for name in loaded if re.search(r"^chalicelib\.\w+\.(devices|management)_v", name)] == []


def import_seconds(*modules: str) -> list[float]:
    """The least CPU time of each import, of several in turns: what else the machine does only adds to it."""
    clock = "time.process_time()"
    codes = [f"import time; start = {clock}; import {module}; print({clock} - start)" for module in modules]
    rounds = [[float(in_fresh_interpreter(code)) for code in codes] for _ in range(9)]
    return [min(times) for times in zip(*rounds, strict=True)]


def test_a_cold_start_stays_within_its_budget() -> None:
    in_fresh_interpreter("import app")  # compiles what changed

    ours, yardstick = import_seconds("app", "botocore.session")

    assert ours <= IMPORT_BUDGET * yardstick

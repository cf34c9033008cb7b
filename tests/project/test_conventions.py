"""Conventions of the code base: sizes of modules, docstrings, no paths of one machine."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from infra.paths import ROOT

CODE = ("app.py", "chalicelib", "infra", "tests")
LONGEST_MODULE = 400
LONGEST_APP = 59


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
def test_a_module_is_short_and_has_a_docstring(path: Path) -> None:
    source = path.read_text()

    assert len(source.splitlines()) <= LONGEST_MODULE, f"split it: more than {LONGEST_MODULE} lines"
    assert not source.strip() or ast.get_docstring(ast.parse(source)), "a module begins with a docstring"


def test_app_py_stays_small() -> None:
    assert len((ROOT / "app.py").read_text().splitlines()) <= LONGEST_APP


def test_no_file_contains_a_path_of_one_machine() -> None:
    checkout = re.escape(f"{ROOT}/")
    home = r"(?<![\w.:}$/-])/(?:home|root|Users)/[\w.-]+"
    pattern = re.compile(f"{checkout}|{home}")

    found = {}
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        if match := pattern.search(text):
            found[path.relative_to(ROOT).as_posix()] = match.group()

    assert found == {}

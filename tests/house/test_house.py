"""The house itself: sizes, docstrings, what is pinned. Nothing that it does."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from infra.paths import ROOT

CODE = ("app.py", "chalicelib", "infra", "tests")
LONGEST_MODULE = 400
LONGEST_COMPOSITION_ROOT = 59


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

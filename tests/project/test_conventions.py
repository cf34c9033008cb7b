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
TIMES = re.compile(r"_(?:ts|at|date)$|^(?:created|expires|finished|modified|opens|started|time|until|updated)$")


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


def _is_time(node: ast.AST) -> bool:
    index = node.slice if isinstance(node, ast.Subscript) else None
    return isinstance(index, ast.Constant) and isinstance(index.value, str) and bool(TIMES.search(index.value))


def _orders_texts(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        ordering = any(isinstance(each, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for each in node.ops)
        return ordering and any(map(_is_time, (node.left, *node.comparators)))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("sorted", "min", "max"):
        keyed = any(each.arg == "key" for each in node.keywords)
        return not keyed and any(_is_time(getattr(each, "elt", each)) for each in node.args)
    return False


@pytest.mark.parametrize(
    ("code", "orders"),
    [
        ('a["modified"] > b["modified"]', True),
        ('before <= a.json()["created_ts"]', True),
        ('sorted(row["finished"] for row in rows)', True),
        ('times.read(a["modified"]) > before', False),
        ('a["modified"] == b["modified"]', False),
        ('sorted((row["finished"] for row in rows), key=times.read)', False),
    ],
)
def test_what_orders_times_as_texts(code: str, *, orders: bool) -> None:
    assert any(map(_orders_texts, ast.walk(ast.parse(code)))) is orders


def test_nothing_orders_times_as_texts() -> None:
    """Their order as texts is not their order in time: ``00.4Z`` follows ``00.435Z``, because zeros are left out."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.expr) and _orders_texts(node)
    ]

    assert found == [], "compare times.read(...) of both"

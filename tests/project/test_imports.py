"""Imports inside functions are only for cold starts, and a comment explains each."""

import ast

from infra.paths import ROOT

MOST = 126
"""Imports inside functions of what ships. Raise it only for a measured gain."""


def test_an_import_inside_a_function_says_why() -> None:
    count, silent = 0, []
    for path in sorted((ROOT / "chalicelib").rglob("*.py")):
        source = path.read_text()
        for function in ast.walk(ast.parse(source)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            found = [each for each in ast.walk(function) if isinstance(each, ast.Import | ast.ImportFrom)]
            count += len(found)
            if found and "mported here" not in (ast.get_source_segment(source, function) or ""):
                silent.append(f"{path.relative_to(ROOT)}: {function.name}")

    assert silent == [], "add a comment: Imported here: ..."
    assert count <= MOST

"""Stored items are converted to answers only in ``views.py`` (docs/architecture.md)."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from infra.paths import ROOT

CODE = ROOT / "chalicelib"
FEATURES = sorted({path.parent for path in CODE.glob("*/shapes.py")} & {path.parent for path in CODE.glob("*/tables*")})
OLD = {"deployments"}
"""Features that do not follow the rule yet."""
MOST = 2
"""Attributes of one thing with which a struct may be built elsewhere."""


def imported(tree: ast.AST) -> dict[str, str]:
    """The imported names, and where each is from."""
    found = [each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
    return {name.asname or name.name: each.module or "" for each in found for name in each.names}


def read_of(call: ast.Call, names: dict[str, str]) -> Counter[str]:
    """In how many arguments of a call attributes of each variable are read."""
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    return Counter(
        name
        for argument in arguments
        for name in {
            each.value.id
            for each in ast.walk(argument)
            if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id not in names
        }
    )


def conversions(path: Path) -> list[str]:
    """Where a module builds structs of the wire format from the attributes of one thing."""
    tree = ast.parse(path.read_text())
    names = imported(tree)
    structs = {name for name, module in names.items() if module.endswith(".shapes")}
    found = []
    for call in (each for each in ast.walk(tree) if isinstance(each, ast.Call)):
        built = ast.unparse(call.func)
        is_struct = built in structs or built.startswith("shapes.")
        if is_struct and any(times > MOST for times in read_of(call, names).values()):
            found.append(f"{path.relative_to(ROOT)}:{call.lineno}: {built}")
    return found


def test_routes_and_services_leave_conversions_to_views() -> None:
    elsewhere, in_views = [], []
    for feature in FEATURES:
        if feature.name in OLD:
            continue
        routes = [*feature.glob("management_*"), *feature.glob("devices_*")]
        for part in [*routes, *feature.glob("service*")]:
            for path in [part] if part.is_file() else part.rglob("*.py"):
                elsewhere += conversions(path)
        in_views += [each for path in feature.glob("views.py") for each in conversions(path)]

    assert elsewhere == [], "build it in views.py"
    assert len(in_views) >= 10, "what looks for them finds them"


def test_views_read_no_table() -> None:
    for path in CODE.glob("*/views.py"):
        modules = [each.module or "" for each in ast.parse(path.read_text()).body if isinstance(each, ast.ImportFrom)]

        assert not any(".tables" in each for each in modules), f"{path}: only for type checkers"

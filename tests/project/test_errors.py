"""Errors of services and rules have only data; ``http.refusals`` alone decides status and headers."""

from __future__ import annotations

import ast
import importlib

from chalicelib import errors
from chalicelib.errors import DomainError
from chalicelib.http import refusals
from infra.paths import ROOT

CODE = ROOT / "chalicelib"
LAYERS = ("access", "fleet", "service", "rules", "tables", "container")
BELOW_HTTP = [
    CODE / "errors.py",
    CODE / "observability.py",
    *(path for path in sorted(CODE.rglob("*.py")) if {*path.relative_to(CODE).with_suffix("").parts} & {*LAYERS}),
]
HEADERS = {"location", "retry-after", "set-cookie", "www-authenticate"}
OF_ANSWERS = {"body", "extra", "headers", "status", "status_code"}


def kinds(of: type[DomainError] = DomainError) -> set[type[DomainError]]:
    return {found for each in of.__subclasses__() for found in {each} | kinds(each)}


def raised(tree: ast.AST) -> set[str]:
    """The keywords that errors are raised with."""
    calls = [each.exc for each in ast.walk(tree) if isinstance(each, ast.Raise) and isinstance(each.exc, ast.Call)]
    return {keyword.arg or "" for call in calls for keyword in call.keywords}


def test_every_class_of_errors_has_a_status() -> None:
    for path in BELOW_HTTP:
        if "Error" in path.read_text():
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))

    statuses = {each.__name__: refusals.status(each) for each in kinds()}

    assert all(400 <= status < 600 for status in statuses.values())
    assert {each for each in kinds() if each.__bases__ == (DomainError,)} == refusals.STATUSES.keys()
    assert {name: statuses[name] for name in ("InvalidToken", "ReleasesInUse", "SwitchedOff")} == {
        "InvalidToken": 401,
        "ReleasesInUse": 409,
        "SwitchedOff": 503,
    }


def test_an_error_carries_nothing_of_an_answer() -> None:
    for kind in kinds():
        assert vars(kind).keys().isdisjoint(OF_ANSWERS), kind
    assert vars(errors.SwitchedOff("for now")) == {"text": "for now", "retry_after": 300}


def test_layers_below_http_set_no_header_or_status_of_an_answer() -> None:
    for path in BELOW_HTTP:
        tree = ast.parse(path.read_text())
        texts = {str(each.value).lower() for each in ast.walk(tree) if isinstance(each, ast.Constant)}

        assert texts & HEADERS == set(), path
        assert raised(tree) & OF_ANSWERS == set(), path

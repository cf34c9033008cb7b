"""The route table by API Gateway's rules.

API Gateway refuses a route table at import, after everything else was uploaded; these tests refuse it first.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any

from chalice.app import RouteEntry

from app import app
from infra.paths import ROOT
from infra.scripts import deployed_page

RESOURCES = deployed_page.RESOURCES
SPARE_RESOURCES = 9
CONFIG = json.loads((ROOT / ".chalice/config.json").read_text())


def routes() -> dict[str, dict[str, RouteEntry]]:
    table: dict[str, dict[str, RouteEntry]] = app.routes
    assert table, "the app has no routes"
    return table


def nodes() -> dict[tuple[str, ...], set[str]]:
    """Each node of API Gateway's resource tree and the names below it."""
    tree: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for path in routes():
        parts = path.strip("/").split("/")
        for depth, part in enumerate(parts):
            tree[tuple(parts[:depth])].add(part)
    return tree


def test_the_resource_tree_fits_one_rest_api() -> None:
    """Some resources are reserved for additions: when this fails, use a second API or greedy paths."""
    used = 1 + sum(len(children) for children in nodes().values())

    assert used == deployed_page.gateway_resources(app.routes)
    assert RESOURCES - used >= SPARE_RESOURCES, f"{used} of {RESOURCES} resources are used"


def test_one_position_has_one_variable_name() -> None:
    variables = {
        "/".join(parent): sorted(name for name in children if name.startswith("{"))
        for parent, children in nodes().items()
    }

    assert {parent: names for parent, names in variables.items() if len(names) > 1} == {}


def test_a_variable_is_a_whole_path_segment() -> None:
    segments = {name for children in nodes().values() for name in children}

    assert {name for name in segments if not re.fullmatch(r"[A-Za-z0-9._-]+|\{[A-Za-z0-9_]+\}", name)} == set()


def test_no_path_ends_in_a_slash() -> None:
    assert [path for path in routes() if path.endswith("/")] == []


def test_preflight_is_left_to_the_gateway() -> None:
    assert [path for path, methods in routes().items() if "OPTIONS" in methods] == []


def cors_of(entry: Any) -> str:
    return json.dumps(entry.cors.get_access_control_headers() if entry.cors else None)


def test_the_methods_of_a_path_agree_on_cors() -> None:
    settings = {path: {cors_of(entry) for entry in methods.values()} for path, methods in routes().items()}

    assert [path for path, found in settings.items() if len(found) > 1] == []


def test_every_path_lies_where_the_stage_makes_it_a_mender_url() -> None:
    """The stage is called "api", so a route must not begin with it again."""
    assert {stage["api_gateway_stage"] for stage in CONFIG["stages"].values()} == {"api"}
    assert [
        path for path in routes() if not re.match(r"/(devices|management)/v\d|/openapi\.json$|/ui(/|$)", path)
    ] == []

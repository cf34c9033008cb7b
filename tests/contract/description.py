"""The published OpenAPI description of Mender's API, and which of its operations the app serves."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from infra.paths import ROOT
from infra.scripts.compatibility import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(os.environ.get("LAMPLIGHTER_OPENAPI") or ROOT.parent / "shared" / "api" / "openapi.yaml")

needed = pytest.mark.skipif(
    not FILE.is_file(), reason="needs the published OpenAPI description: set LAMPLIGHTER_OPENAPI to its file"
)
"""Marks tests that need the description."""

_METHODS = {"delete", "get", "head", "options", "patch", "post", "put"}


@functools.cache
def document() -> dict[str, Any]:
    """The description, parsed."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    parsed: dict[str, Any] = yaml.load(FILE.read_text(), Loader=loader)  # noqa: S506  # both are safe loaders
    return parsed


def operation(method: str, path: str) -> Operation:
    """An operation by its public path, without the names of its variables."""
    return Operation(re.sub(r"\{[^}]+\}", "{}", path.removeprefix("/api")), method.upper())


def described() -> Iterator[Operation]:
    """All operations of the description."""
    for path, item in document()["paths"].items():
        for method in _METHODS & set(item):
            yield operation(method, path)

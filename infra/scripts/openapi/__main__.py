"""Writes the description of the API that the server serves: ``python -m infra.scripts.openapi [--check]``."""

from __future__ import annotations

import json
from typing import Any

from app import app
from infra.paths import ROOT
from infra.scripts.openapi.document import document
from infra.scripts.pages import main

FILE = ROOT / "chalicelib" / "reference" / "openapi.json"


def text() -> str:
    """The file's text: JSON without blanks, a line for each path and each component, so that changes can be read."""
    return f"{_lines(document(app), depth=3)}\n"


def _lines(value: Any, *, depth: int) -> str:
    if depth == 0 or not isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return (
        "{\n" + ",\n".join(f"{json.dumps(key)}:{_lines(each, depth=depth - 1)}" for key, each in value.items()) + "\n}"
    )


if __name__ == "__main__":
    main(FILE, text(), __doc__)

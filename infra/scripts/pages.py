"""Pages that are written from code."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from infra.paths import ROOT


def main(page: Path, text: str, about: str | None) -> None:
    """Write a page, or with ``--check`` say whether it is up to date; ``about`` is what ``--help`` shows."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--check", action="store_true", help="only say whether the page is up to date")
    if not parser.parse_args().check:
        page.write_text(text)
    elif not page.exists() or page.read_text() != text:
        sys.exit(f"{page.relative_to(ROOT)} is out of date: make docs")


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return ["", *(f"| {' | '.join(cells)} |" for cells in lines)]

"""Writes ``docs/limits.md`` from ``chalicelib/limits.py``: ``python -m infra.scripts.limits_page [--check]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chalicelib import limits

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "chalicelib" / "limits.py"
PAGE = ROOT / "docs" / "limits.md"
UNITS = {"KIB", "MIB", "GIB"}

HEAD = """# Limits

Every bound of the system, written by `make docs` from `chalicelib/limits.py`; do not edit it. "Mender" marks a bound
of the server whose API this is, "AWS" one of the platform, "own" one of ours.
"""


def page() -> str:
    """The page's text."""
    lines = [HEAD]
    for line in SOURCE.read_text().splitlines():
        if line.startswith("# "):
            lines += [f"\n## {line[2:]}\n", "| limit | value | source and reason |", "|---|---|---|"]
        elif "=" in line and line[:1].isupper():
            name = line.split("=")[0].strip()
            if name in UNITS:
                continue
            reason = line.partition("#")[2].strip()
            lines.append(f"| `{name}` | {getattr(limits, name):,} | {reason} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page, or with ``--check`` say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.exit("docs/limits.md is out of date: make docs")


if __name__ == "__main__":
    main()

"""Writes ``docs/limits.md`` from ``chalicelib/limits.py``: ``python -m infra.scripts.limits_page [--check]``."""

from __future__ import annotations

from chalicelib import limits
from infra.paths import ROOT
from infra.scripts.pages import main

SOURCE = ROOT / "chalicelib" / "limits.py"
PAGE = ROOT / "docs" / "limits.md"
UNITS = {"KIB", "MIB", "GIB"}

HEAD = """# Limits

All limits of the server. `make docs` writes this page from `chalicelib/limits.py`; do not edit it. "Mender" marks a
limit of Mender's server, "AWS" one of the platform, "own" one of Lamplighter. Sizes are in bytes unless the
description says otherwise.
"""


def page() -> str:
    """The page's text.

    Raises:
        ValueError: a limit has no source and description.
    """
    lines = [HEAD]
    for line in SOURCE.read_text().splitlines():
        if line.startswith("# "):
            lines += [f"\n## {line[2:]}\n", "| limit | value | source and description |", "|---|---|---|"]
        elif "=" in line and line[:1].isupper():
            name = line.split("=")[0].strip()
            if name in UNITS:
                continue
            reason = line.partition("#")[2].strip()
            if not reason:
                raise ValueError(f"{name} has no source and description on its own line")
            lines.append(f"| `{name}` | {getattr(limits, name):,} | {reason} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(PAGE, page(), __doc__)

"""Writes ``docs/limits.md`` from ``chalicelib/limits.py``: ``python -m infra.scripts.limits_page [--check]``."""

from __future__ import annotations

from chalicelib import limits
from infra.scripts.pages import ROOT, main

SOURCE = ROOT / "chalicelib" / "limits.py"
PAGE = ROOT / "docs" / "limits.md"
UNITS = {"KIB", "MIB", "GIB"}

HEAD = """# Limits

Every bound of the system, written by `make docs` from `chalicelib/limits.py`; do not edit it. "Mender" marks a bound
of the server whose API this is, "AWS" one of the platform, "own" one of ours.
"""


def page() -> str:
    """The page's text.

    Raises:
        ValueError: a limit stands there without its source and reason.
    """
    lines = [HEAD]
    for line in SOURCE.read_text().splitlines():
        if line.startswith("# "):
            lines += [f"\n## {line[2:]}\n", "| limit | value | source and reason |", "|---|---|---|"]
        elif "=" in line and line[:1].isupper():
            name = line.split("=")[0].strip()
            if name in UNITS:
                continue
            reason = line.partition("#")[2].strip()
            if not reason:
                raise ValueError(f"{name} has no reason behind it on its own line")
            lines.append(f"| `{name}` | {getattr(limits, name):,} | {reason} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(PAGE, page(), __doc__)

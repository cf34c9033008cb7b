"""``make licences``: every installed distribution is under a licence that we may use.

What ships has to be as permissive as Lamplighter's own Apache-2.0; tools that stay on developers' machines may also be
under a copyleft licence that ends at the file or program. What is not known here fails: read the licence, then add it.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

PERMISSIVE: Final = (
    "Apache 2.0",
    "Apache License 2.0",
    "Apache Software License",
    "Apache-2.0",
    "BSD",
    "BSD 2-Clause License",
    "BSD License",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CNRI-Python",
    "MIT",
    "MIT License",
    "MIT No Attribution License (MIT-0)",
    "MIT-0",
    "PSF-2.0",
)
COPYLEFT: Final = ("GPL-2.0-only", "MPL-2.0", "MPLv2.0", "Mozilla Public License 2.0 (MPL 2.0)")

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def names_of(about: metadata.PackageMetadata) -> list[str]:
    """The names of a distribution's licences: of its SPDX expression, else of its classifiers, else its own words."""
    if expressions := about.get_all("License-Expression"):
        return re.split(r" (?:AND|OR|WITH) ", expressions[0].replace("(", "").replace(")", ""))
    classified = [
        line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or () if line.startswith("License :: ")
    ]
    named = [each for each in classified if each != "OSI Approved"]  # which says only that there is one
    return named or [word.strip() for word in about.get_all("License") or ["unknown"]]


def canonical(name: str) -> str:
    """The one form of a project's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def shipped(requirements: str) -> set[str]:
    """The projects that a requirements file names."""
    found = (_NAME.match(line) for line in requirements.splitlines())
    return {canonical(match.group()) for match in found if match}


def refused(name: str, licences: list[str], *, ships: bool) -> str | None:
    """Why a distribution may not be used; None if it may."""
    allowed = PERMISSIVE if ships else (*PERMISSIVE, *COPYLEFT)
    unknown = [licence for licence in licences if licence not in allowed]
    return f"{name}{' (ships)' if ships else ''}: {', '.join(unknown)}" if unknown else None


def main() -> int:
    """Check what is installed in this environment."""
    ships = shipped((ROOT / "requirements.txt").read_text())
    found = sorted(metadata.distributions(), key=lambda each: canonical(each.name))
    problems = [
        problem
        for each in found
        if (problem := refused(each.name, names_of(each.metadata), ships=canonical(each.name) in ships))
    ]
    print("\n".join(problems) or f"{len(found)} distributions, {len(ships)} of them ship: licences are fine")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

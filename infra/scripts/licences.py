"""``make licences``: checks that the licences of all distributions and console packages are allowed.

The console's packages are those of ``ui/package-lock.json``; what is not for developers only is built into its files,
and their ``licences.txt`` contains the licences. What ships has to be as permissive as Lamplighter's Apache-2.0;
development tools may also have a copyleft licence limited to the file or program. An unknown licence
fails: read it, then add it here.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from typing import Any, Final

from infra.paths import ROOT

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
    "CC0-1.0",
    "CNRI-Python",
    "ISC",
    "MIT",
    "MIT License",
    "MIT No Attribution License (MIT-0)",
    "MIT-0",
    "PSF-2.0",
    "Python-2.0",
)
COPYLEFT: Final = ("GPL-2.0-only", "MPL-2.0", "MPLv2.0", "Mozilla Public License 2.0 (MPL 2.0)")

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def names_of(about: metadata.PackageMetadata) -> list[str]:
    """The names of a distribution's licences: from its SPDX expression, else its classifiers, else its text."""
    if expressions := about.get_all("License-Expression"):
        return of_expression(expressions[0])
    classified = [
        line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or () if line.startswith("License :: ")
    ]
    named = [each for each in classified if each != "OSI Approved"]  # which has no specific name
    return named or [word.strip() for word in about.get_all("License") or ["unknown"]]


def of_expression(expression: str) -> list[str]:
    """The names in an SPDX expression. All have to be allowed, even if there is a choice."""
    return re.split(r" (?:AND|OR|WITH) ", expression.replace("(", "").replace(")", ""))


def canonical(name: str) -> str:
    """The normalized form of a project's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def shipped(requirements: str) -> set[str]:
    """The projects in a requirements file."""
    found = (_NAME.match(line) for line in requirements.splitlines())
    return {canonical(match.group()) for match in found if match}


def refused(name: str, licences: list[str], *, ships: bool) -> str | None:
    """Why a distribution may not be used; None if it may."""
    allowed = PERMISSIVE if ships else (*PERMISSIVE, *COPYLEFT)
    unknown = [licence for licence in licences if licence not in allowed]
    return f"{name}{' (ships)' if ships else ''}: {', '.join(unknown)}" if unknown else None


def of_console(lock: str) -> list[tuple[str, list[str], bool]]:
    """Name, licences, and whether it ships, of each package that a ``package-lock.json`` names."""
    packages: dict[str, dict[str, Any]] = json.loads(lock)["packages"]
    return [
        (path.rpartition("node_modules/")[2], of_expression(about.get("license", "unknown")), not about.get("dev"))
        for path, about in packages.items()
        if path
    ]


def main() -> int:
    """Check the distributions in this environment, and the packages of the console."""
    ships = shipped((ROOT / "requirements.txt").read_text())
    found = sorted(metadata.distributions(), key=lambda each: canonical(each.name))
    problems = [
        problem
        for each in found
        if (problem := refused(each.name, names_of(each.metadata), ships=canonical(each.name) in ships))
    ]
    console = of_console((ROOT / "ui" / "package-lock.json").read_text())
    problems += [problem for name, names, built in console if (problem := refused(name, names, ships=built))]
    counted = (
        f"{len(found)} distributions, {len(ships)} of them ship; "
        f"{len(console)} packages of the console, {sum(built for *_, built in console)} of them built into it"
    )
    print("\n".join(problems) or f"{counted}: licences are fine")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

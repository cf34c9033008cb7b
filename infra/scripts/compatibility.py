"""``make docs``: writes ``docs/compatibility.md``, which lists the served routes of Mender's API.

``surface.txt`` lists Mender's public operations; the app's route table says which of them are served, and
``unserved.txt`` why the others are not. ``differences.md`` is written by hand: the behaviour where Mender's server
and its documentation disagree. With ``--check``, the exit status says whether the page is up to date.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from app import app
from infra.paths import ROOT
from infra.scripts.pages import main

PAGE = ROOT / "docs" / "compatibility.md"
SURFACE = Path(__file__).with_name("surface.txt")
UNSERVED = Path(__file__).with_name("unserved.txt")
DIFFERENCES = Path(__file__).with_name("differences.md")
HEAD = """\
# Compatibility

Which of Mender's public HTTP operations Lamplighter serves. `make docs` writes this page from the app's route
table and `infra/scripts/differences.md`; do not edit it. Every path begins with `/api`, the name of the API's stage.
A star marks the operations of the published API reference.

"""
AREAS = {
    "auditlogs": "Audit logs",
    "authentication": "Device authentication",
    "console": "Console",
    "deployments": "Deployments",
    "devauth": "Device authentication",
    "deviceconfig": "Configuration",
    "deviceconnect": "Remote access",
    "devicemonitor": "Monitoring",
    "inventory": "Inventory",
    "iot-manager": "Integrations",
    "tenantadm": "Tenants",
    "useradm": "Users",
}


@dataclass(frozen=True, order=True)
class Operation:
    """A method and a path; names of variables are ignored."""

    path: str
    method: str

    @property
    def area(self) -> str:
        """The heading of its section."""
        service = self.path.split("/")[3]
        return AREAS.get(service, service)


def published() -> dict[Operation, bool]:
    """Mender's operations, and whether the published API reference has each."""
    lines = [line for line in SURFACE.read_text().splitlines() if not line.startswith("#")]
    return {Operation(line.split()[-1], line.split()[-2]): line.startswith("*") for line in lines}


def served() -> set[Operation]:
    """The app's operations, without the console's files and the API's description."""
    return {
        Operation(re.sub(r"\{[^}]+\}", "{}", path), method)
        for path, methods in app.routes.items()
        for method in methods
        if path.startswith(("/devices/", "/management/"))
    }


LITERALS = {
    Operation("/management/v1/deployments/limits/storage", "GET"): "/management/v1/deployments/limits/{}",
    Operation("/management/v2/devauth/limits/max_devices", "GET"): "/management/v2/devauth/limits/{}",
}
"""Operations whose path is one value of a served route's variable, with that route's path."""


def answered() -> set[Operation]:
    """All operations that the app answers."""
    ours = served()
    return ours | {literal for literal, path in LITERALS.items() if Operation(path, literal.method) in ours}


def reasons() -> dict[Operation, str]:
    """Why operations are not served."""
    found = {}
    for line in UNSERVED.read_text().splitlines():
        if not line.startswith("#"):
            operation, _, reason = line.partition(": ")
            method, path = operation.split()
            found[Operation(path, method)] = reason
    return found


def page(mender: dict[Operation, bool], ours: set[Operation], why_not: dict[Operation, str]) -> str:
    """The whole page."""
    areas: dict[str, list[Operation]] = defaultdict(list)
    for operation in sorted(set(mender) | ours):
        areas[operation.area].append(operation)
    text = [HEAD, "| area | of the reference | of all |\n|---|---|---|\n"]
    for area, operations in [*sorted(areas.items()), ("**Sum**", list(mender))]:
        listed = [operation for operation in operations if operation in mender]
        if not listed:
            continue  # not part of Mender's API
        starred = [operation for operation in listed if mender[operation]]
        counts = [f"{len(ours.intersection(some))} of {len(some)}" for some in (starred, listed)]
        text.append(f"| {area} | {counts[0]} | {counts[1]} |\n")
    text.append(DIFFERENCES.read_text())
    for area, operations in sorted(areas.items()):
        text.append(f"\n## {area}\n\n| | operation | served | why not |\n|---|---|---|---|\n")
        for operation in operations:
            star = "*" if mender.get(operation) else ""
            state = "not in Mender's API" if operation not in mender else "yes" if operation in ours else "no"
            reason = why_not.get(operation, "") if state == "no" else ""
            text.append(f"| {star} | `{operation.method} {operation.path}` | {state} | {reason} |\n")
    return "".join(text)


if __name__ == "__main__":
    main(PAGE, page(published(), answered(), reasons()), __doc__.splitlines()[0] if __doc__ else None)

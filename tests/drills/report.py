"""The report of a drill: each call of a deployment, its failure, and the result after the second run."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.drills.branching import Drill

HEAD = """# Drill of a deployment

Written by `make drill ARGS='--page=docs/drill.md'`; do not edit it. `make deploy` makes calls to AWS for a first
installation and for an update, and `make undeploy` for a removal. In this drill, each call failed once in each of
these ways, and then the same command was started again. *Killed*: the process ended before the call. *Refused*,
*throttled*: AWS answered with this error. *Answer lost*: the call was made, and its answer did not arrive.

After the second run of a deployment, exactly the resources of one complete deployment must exist, such as one API of
each kind and one mapping of the queue; the API must answer with the new code, and `make undeploy` from another
checkout must remove everything. After the second run of a removal, from another checkout, nothing may be left. A cell
counts the second runs that passed, of all.

A small app with one of each kind of resource was deployed to the embedded engine. If two failures left the same state,
except for times and generated names, the second run was made once. Waiting times of AWS, such as for a stack, are
short here.
"""


def page(drills: Sequence[Drill], kinds: Sequence[str]) -> str:
    """The page's text."""
    scenarios = list(dict.fromkeys(drill.scenario for drill in drills))
    parts = [HEAD, _summary(drills, scenarios), *(_table(drills, scenario, kinds) for scenario in scenarios)]
    wrong = [drill for drill in drills if drill.wrong]
    parts.append(
        "## Not complete\n\n"
        + ("".join(f"- {_said(drill)}\n" for drill in wrong) or "None: every second run gave a complete result.\n")
    )
    return "\n".join(parts)


def _summary(drills: Sequence[Drill], scenarios: Iterable[str]) -> str:
    rows = ["| | calls | failures | first run succeeded anyway | complete after the second |", "|---|---|---|---|---|"]
    for scenario in scenarios:
        own = [drill for drill in drills if drill.scenario == scenario]
        alone = sum(drill.first == "succeeded anyway" for drill in own)
        calls = len({drill.number for drill in own})
        rows.append(f"| {scenario} | {calls} | {len(own)} | {alone} | {sum(not drill.wrong for drill in own)} |")
    return "\n".join(rows) + "\n"


def _table(drills: Sequence[Drill], scenario: str, kinds: Sequence[str]) -> str:
    whole: dict[str, Counter[str]] = defaultdict(Counter)
    made: dict[str, Counter[str]] = defaultdict(Counter)
    for drill in drills:
        if drill.scenario == scenario:
            made[drill.call][drill.failure] += 1
            whole[drill.call][drill.failure] += not drill.wrong
    rows = [f"| call | {' | '.join(kinds)} |", "|---" * (1 + len(kinds)) + "|"]
    for call in made:
        cells = [f"{whole[call][kind]} of {made[call][kind]}" if made[call][kind] else "" for kind in kinds]
        rows.append(f"| {call} | {' | '.join(cells)} |")
    return f"## {scenario.capitalize()}\n\n" + "\n".join(rows) + "\n"


def _said(drill: Drill) -> str:
    return f"{drill.scenario}, call {drill.number}, {drill.call}, {drill.failure}: {'; '.join(drill.wrong)}"


def write(path: Path, drills: Sequence[Drill], kinds: Sequence[str]) -> None:
    """Write the page."""
    path.write_text(page(drills, kinds))

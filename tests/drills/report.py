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
installation and for an update, and `make undeploy` for a removal. Each failed once at every position, in each of these
ways, and the same command was started again. *Killed*: the process ended before the call. *Refused*, *throttled*: AWS
said so. *Answer lost*: the call was made, and its answer did not arrive.

After the second run of a deployment there has to be one API of each kind, one mapping of the queue, and of everything
else what one whole deployment leaves. The API has to answer with the new code. And `make undeploy` from another
checkout has to leave nothing. After the second run of a removal, from another checkout, nothing may be left. A cell
says how many of how many were so.

What is deployed is a small app with one of each kind of resource, on the embedded engine. Where two failures left the
same state, down to times and made-up names, the second run from there was made once. What takes time on AWS (a function
becomes active, a stack is made) is quick here.
"""


def page(drills: Sequence[Drill], kinds: Sequence[str]) -> str:
    """The page's text."""
    scenarios = list(dict.fromkeys(drill.scenario for drill in drills))
    parts = [HEAD, _summary(drills, scenarios), *(_table(drills, scenario, kinds) for scenario in scenarios)]
    wrong = [drill for drill in drills if drill.wrong]
    parts.append(
        "## Not whole\n\n"
        + ("".join(f"- {_said(drill)}\n" for drill in wrong) or "None: every second run ended as it has to.\n")
    )
    return "\n".join(parts)


def _summary(drills: Sequence[Drill], scenarios: Iterable[str]) -> str:
    rows = ["| | calls | failures | first run went on by itself | whole after the second |", "|---|---|---|---|---|"]
    for scenario in scenarios:
        own = [drill for drill in drills if drill.scenario == scenario]
        alone = sum(drill.first == "went on by itself" for drill in own)
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

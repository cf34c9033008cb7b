"""The table at the end of a soak."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tests.soak.serving import PARTS, Sample

if TYPE_CHECKING:
    from tests.soak.comparing import Result
    from tests.soak.run import Soak

WARM_UP = 60.0
"""Seconds of a life of the server that are left out of the slope of its memory."""
SHOWN = 20
"""Disagreements that are explained."""


def show(console: Console, soak: Soak, result: Result) -> int:
    """Print everything; returns the number of disagreements."""
    ledger, server = soak.ledger, soak.server
    console.print()
    console.print(_calls(ledger.calls))
    facts = Table("what", "how much", box=None)
    behaviours = Counter(device.behaviour for device in soak.devices)
    facts.add_row("seed", str(soak.options.seed))
    facts.add_row("devices", _said(behaviours))
    facts.add_row("... decommissioned", str(len(ledger.decommissioned)))
    facts.add_row("deployments", _said(Counter(each.how for each in ledger.deployments.values())))
    facts.add_row("... aborted", str(sum(each.abort == "acknowledged" for each in ledger.deployments.values())))
    facts.add_row("updates offered", str(len(ledger.instructions)))
    facts.add_row("reports", str(sum(map(len, ledger.reports.values()))))
    facts.add_row("faults of the network", _said(ledger.faults) or "none")
    facts.add_row("kills", _said(server.kills) or "none")
    facts.add_row("longest outage", f"{ledger.longest_outage:.1f} s")
    facts.add_row("slowest start of the server", f"{max(server.starts):.1f} s")
    for part in PARTS:
        facts.add_row(f"memory of the {part}", memory(server.samples, part))
    console.print(facts)
    console.print()
    compared = Table("compared", "how many", "disagree", box=None)
    for name, number in result.compared.items():
        compared.add_row(name, str(number), str(result.wrong[name]))
    console.print(compared)
    for error, times in server.errors().most_common(12):
        console.print(f"  in the server's log, {times} times: {error}", style="dim", markup=False, soft_wrap=True)
    for each in result.disagreements[:SHOWN]:
        console.print(f"\nDISAGREES (seed {soak.options.seed}) {each.what}", style="red", markup=False, soft_wrap=True)
        for line in ledger.recent.get(each.who, ()):
            console.print(f"  {each.who} {line}", style="dim", markup=False, soft_wrap=True)
    number = len(result.disagreements)
    console.print(f"\n{number} disagreements" if number else "\nAll sides agree.", style="red" if number else "green")
    return number


def memory(samples: list[Sample], part: str) -> str:
    """The memory of a process at the beginning and the end, and its slope in the longest life after warming up."""
    mine = [each for each in samples if part in each.rss]
    if not mine:
        return "not measured"
    lives = Counter(each.life for each in mine)
    longest = max(lives, key=lambda life: lives[life])
    life = [each for each in mine if each.life == longest]
    warm = [(each.at, each.rss[part]) for each in life if each.at - life[0].at >= WARM_UP]
    text = f"{mine[0].rss[part]:.0f} MB at the start, {mine[-1].rss[part]:.0f} MB at the end"
    if len(warm) < 3:
        return text
    seconds = warm[-1][0] - warm[0][0]
    return f"{text}; {slope(warm) * 60:+.2f} MB a minute over {seconds / 60:.1f} minutes"


def slope(points: list[tuple[float, float]]) -> float:
    """The slope of the line that fits best."""
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    below = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / below if below else 0.0


def _calls(calls: Counter[tuple[str, str]]) -> Table:
    outcomes = ("2xx", "4xx", "5xx", "none", "cut")
    table = Table("calls", *outcomes, box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for kind in dict.fromkeys(kind for kind, _ in calls):
        table.add_row(kind, *(str(calls[kind, outcome] or "") for outcome in outcomes))
    return table


def _said(numbers: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(numbers.items()))

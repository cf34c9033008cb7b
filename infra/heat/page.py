"""Writes ``docs/heat.md``: which keys become hot, in the layout of version 0.1.0 and in the present one."""

from __future__ import annotations

from functools import cache

from infra.heat import traffic
from infra.heat.conflicts import Outcome, Rules, kinds, simulate
from infra.heat.model import BAR, READ_UNITS, WRITE_UNITS, Load, loads
from infra.heat.scenarios import SCENARIOS, Fleet, Scenario
from infra.paths import ROOT
from infra.scripts import pages
from infra.scripts.pages import table

PAGE = ROOT / "docs" / "heat.md"
MILLION = 1_000_000
FLEETS = {
    "1,000": Fleet(1_000),
    "10,000": Fleet(10_000),
    "100,000": Fleet(100_000),
    "1 million": Fleet(MILLION),
    "10 million": Fleet(10 * MILLION),
    "1 million, a thousand tenants": Fleet(MILLION, tenants=1_000),
    "1 million, polls every 5 minutes": Fleet(MILLION, poll=300),
}
_RULES = Rules()

HEAD = f"""# Hot keys

Written by `make docs` from `infra/heat/`; do not edit it. `make heat ARGS='--devices 100000 --poll 300'` shows a fleet
of your own, with every key.

DynamoDB allows one partition key {WRITE_UNITS:,} write units and {READ_UNITS:,} read units a second, however much
capacity the table has, and cancels a transaction that conflicts with another one on an item. This page is a model of
both. Tests record from the real server which keys of tables and indexes each kind of call reads and writes; the model
multiplies that by the number of calls per second of a fleet. DynamoDB may split a hot partition after some minutes; the
model does not assume that it does.

The aim is that no key uses more than {BAR:.0%} of a limit with a million devices in one tenant.

**Assumptions.** Devices poll every 30 minutes at random times. A rollout begins at the next poll of each device,
which then reports four times. Transactions hold their items for {_RULES.hold[0] * 1000:.0f} to
{_RULES.hold[1] * 1000:.0f} ms, which AWS does not document, and are tried {_RULES.attempts} times. Items of one device
are left out of the simulation of transactions, since only that device's calls write them."""


def _load(layout: str, scenario: Scenario, fleet: Fleet) -> Load:
    return loads(_recording(layout), scenario, fleet)[0]


@cache
def _recording(layout: str) -> traffic.Recording:
    return traffic.load(layout)


def outcome(layout: str, scenario: Scenario, fleet: Fleet) -> Outcome:
    """Simulate the transactions of a scenario."""
    return simulate(kinds(_recording(layout), scenario, fleet), _RULES)


def percent(share: float) -> str:
    """A share as a percentage with about two digits."""
    if share == 0:
        return "0"
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}" if share >= 0.001 else "below 0.1%"


def _milliseconds(outcome: Outcome) -> str:
    return f"{outcome.p99 * 1000:.0f} ms" if outcome.p99 else "none meet"


def _side_by_side() -> list[str]:
    fleet, rows = Fleet(MILLION), []
    for scenario in SCENARIOS:
        now = _load(traffic.CURRENT, scenario, fleet)
        before = ["", ""]
        if not scenario.is_new:
            found = _load(traffic.FIRST, scenario, fleet)
            before = [f"`{found.name}`", percent(found.share)]
        rows.append([scenario.name, *before, f"`{now.name}`", percent(now.share)])
    return table(["", "hottest key in 0.1.0", "of a limit", "hottest key now", "of a limit"], rows)


def _shown(found: Outcome) -> list[str]:
    return [percent(found.share), _milliseconds(found)]


def _conflicts() -> list[str]:
    fleet, rows = Fleet(MILLION), []
    for scenario in SCENARIOS:
        cells = ["", ""] if scenario.is_new else _shown(outcome(traffic.FIRST, scenario, fleet))
        rows.append([scenario.name, *cells, *_shown(outcome(traffic.CURRENT, scenario, fleet))])
    return table(["", "503 in 0.1.0", "p99", "503 now", "p99"], rows)


def _fleets() -> list[str]:
    rows = [
        [scenario.name, *(percent(_load(traffic.CURRENT, scenario, fleet).share) for fleet in FLEETS.values())]
        for scenario in SCENARIOS
    ]
    return table(["", *FLEETS], rows)


def page() -> str:
    """The page."""
    lines = [HEAD, "", "## A million devices in one tenant", *_side_by_side()]
    lines += [
        "",
        "## Conflicting transactions",
        "",
        "The share that fails in every attempt (the caller gets 503), and the time in which 99 of 100 are committed.",
        *_conflicts(),
    ]
    lines += ["", "## Other fleets", "", "The share of a limit that the hottest key uses now.", *_fleets()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    pages.main(PAGE, page(), __doc__)

"""``docs/cost.md``: the tables of the model in ``chalicelib.cost.rules``. ``--check`` only compares the page."""

from __future__ import annotations

import math
import sys

from msgspec.structs import replace

from chalicelib.cost.rules import (
    CALLS,
    DATE,
    DOORS,
    HOURS,
    PRICES,
    REGION,
    Fleet,
    bill,
    money,
    per_million,
    savings,
)
from infra.paths import ROOT

PAGE = ROOT / "docs" / "cost.md"
FLEETS = (3, 100, 1_000, 10_000, 100_000, 1_000_000, 3_000_000)
INTERVALS = {"5 minutes": 300, "30 minutes": 1800, "2 hours": 7200, "a day": 86_400}

HEAD = f"""# What it costs

Written by `make docs` from the model in `chalicelib/cost/rules.py`; do not edit it. `make cost ARGS='--devices 10000'`
prices a fleet of your own, `ARGS=--help` lists what else can be set. The console has the same at *Settings → Cost*.

**Nothing of this was billed.** It is arithmetic over units that were counted in tests ([performance](performance.md)),
and list prices of {REGION} as of {DATE}, without free tier and discounts. The time that DynamoDB takes to answer,
the units of indexes and the size of a device's items are assumed. Check the prices before you build on them.

A device polls every 30 minutes, reports its inventory once a day, asks for a token once a week, and takes one update a
month, in {CALLS["update"].requests} requests. Operators make 1,000 calls a day. The first tables leave out what
depends on how you use the server: the bytes of artifacts, devices that stay connected for remote access, and Lambda's
own log lines. [What else can cost as much](#what-else-can-cost-as-much) has those.
"""

OTHERS = f"""Added to a month of the tables above. An artifact leaves the bucket once for each device, at
${PRICES["egress"].dollars} a GB and less for large amounts. A connected device costs the minutes of its websocket and a
new connection every two hours; its pings are assumed to be free. Lambda logs three lines for each invocation unless it
is told not to."""

LEVERS = """For 100,000 devices that poll every 30 minutes and are all connected, with an artifact of 20 MB a month. The
last two lines are what that part costs, or would cost."""


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return ["", *(f"| {' | '.join(cells)} |" for cells in lines)]


def rate(number: float) -> str:
    """As it is read."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def page() -> str:
    """The page's text."""
    return (
        "\n".join([HEAD, *_months(), *_parts(), *_others(), *_levers(), *_millions(), *_doors(), *_loads(), *_prices()])
        + "\n"
    )


_COUNTS = [f"{devices:,}" for devices in FLEETS]


def _months() -> list[str]:
    totals = {door: [bill(Fleet(devices), door).total for devices in FLEETS] for door in DOORS}
    each = [total / devices for total, devices in zip(totals["REST API"], FLEETS, strict=True)]
    edge = [bill(Fleet(devices), "HTTP API", edge=True, relays=2).total for devices in FLEETS]
    rows = [[door, *map(money, totals[door])] for door in DOORS]
    rows += [
        ["REST API, a device", *(f"${one:.4f}" for one in each)],
        ["HTTP API, edge, two relays", *map(money, edge)],
    ]
    polls = [Fleet(10_000, poll=seconds) for seconds in INTERVALS.values()]
    by_poll = [[door, *(money(bill(fleet, door).total) for fleet in polls)] for door in DOORS]
    lines = ["## A month, by devices", *table(["", *_COUNTS], rows)]
    return [*lines, "", "## A month of 10,000 devices, by how often they poll", *table(["", *INTERVALS], by_poll)]


def _parts() -> list[str]:
    parts = [bill(Fleet(devices)).parts for devices in FLEETS]
    rows = [[name, *(money(each[name]) for each in parts)] for name in parts[0]]
    return ["", "## Where it goes", "", "REST API, polls every 30 minutes.", *table(["", *_COUNTS], rows)]


def _others() -> list[str]:
    """What each way to use the server adds to the bill."""
    fleets = [Fleet(devices) for devices in FLEETS]
    more = {
        "an artifact of 20 MB to each device": [replace(each, artifact=20) for each in fleets],
        "an artifact of 200 MB to each device": [replace(each, artifact=200) for each in fleets],
        "one device in ten connected for remote access": [
            replace(each, connected=math.ceil(each.devices / 10)) for each in fleets
        ],
        "every device connected for remote access": [replace(each, connected=each.devices) for each in fleets],
        "Lambda's own log lines, if you turn them on": [replace(each, platform_logs=True) for each in fleets],
    }
    rows = [
        [title, *(money(bill(new).total - bill(old).total) for new, old in zip(added, fleets, strict=True))]
        for title, added in more.items()
    ]
    return ["", "## What else can cost as much", "", OTHERS, *table(["", *_COUNTS], rows)]


def _levers() -> list[str]:
    """What lowers each part of the bill, and what that is worth for 100,000 devices."""
    fleet = Fleet(100_000, artifact=20, connected=100_000)
    now = bill(fleet)
    logged = bill(replace(fleet, platform_logs=True)).total - now.total
    rows = [[each.part, each.lever, money(each.dollars)] for each in savings(fleet, "REST API")]
    rows += [
        ["log lines", "JSON format at system level WARN, as installed", money(logged)],
        ["cold starts", "byte code in the package, as installed", money(now.parts["functions, cold starts"])],
    ]
    doors = "[Cheaper doors](aws.md#cheaper-doors) says how to change the front door."
    return ["", "## What lowers it", "", LEVERS, *table(["part", "lever", "saves a month"], rows), "", doors]


def _millions() -> list[str]:
    titles = {"poll": "idle poll", "token": "token", "inventory": "inventory", "update": "whole update", "page": "page"}
    rows = [[door, *(money(per_million(name, door)) for name in titles)] for door in DOORS]
    return ["", "## A million calls", *table(["", *titles.values()], rows)]


def _doors() -> list[str]:
    lines = [crossing("REST API", "HTTP API"), crossing("HTTP API", "load balancer")]
    return ["", "## When to change the door", "", *lines, "", "[The templates](aws.md) say how."]


def _loads() -> list[str]:
    fleets = [Fleet(devices) for devices in FLEETS]
    rows = [
        ["calls a second", *(rate(fleet.requests / HOURS / 3600) for fleet in fleets)],
        ["functions at work", *(rate(fleet.seconds / HOURS / 3600) for fleet in fleets)],
        ["calls a second, if all come back within a minute", *(rate(devices / 60) for devices in FLEETS)],
    ]
    quotas = "On average. New accounts may make 10,000 calls a second and have 1,000 functions at work in a region."
    return ["", "## Load", "", quotas, *table(["", *_COUNTS], rows)]


def _prices() -> list[str]:
    rows = [[f"{price.dollars:g}", price.per, "" if price.sure else "from memory"] for price in PRICES.values()]
    return ["", "## Prices", *table(["dollars", "for a", ""], rows)]


def crossing(dear: str, cheap: str) -> str:
    """From how many devices on one door is cheaper than another, to two digits."""
    step = 10
    while step < 10**8:
        for devices in range(step, step * 10, max(1, step // 10)):
            if bill(Fleet(devices), cheap).total < bill(Fleet(devices), dear).total:
                return f"- {cheap} instead of {dear}: cheaper from {devices:,} devices on."
        step *= 10
    return f"- {cheap} is never cheaper than {dear}."


def main() -> None:
    """Write the page, or compare it."""
    if "--check" not in sys.argv:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.exit("docs/cost.md is out of date: make docs")


if __name__ == "__main__":
    main()

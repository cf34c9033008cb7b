"""``docs/cost.md``: the tables of the model in ``chalicelib.cost.rules``. ``--check`` only compares the page."""

from __future__ import annotations

import math

from msgspec.structs import replace

from chalicelib.cost.rules import (
    CALLS,
    DATE,
    GATEWAYS,
    HOURS,
    PRICES,
    REGION,
    Fleet,
    bill,
    money,
    per_million,
    savings,
)
from infra.deploy.record import KEPT
from infra.paths import ROOT
from infra.scripts import pages
from infra.scripts.pages import table

PAGE = ROOT / "docs" / "cost.md"
FLEETS = (3, 100, 1_000, 10_000, 100_000, 1_000_000, 3_000_000)
INTERVALS = {"5 minutes": 300, "30 minutes": 1800, "2 hours": 7200, "a day": 86_400}

HEAD = f"""# What it costs

Written by `make docs` from the model in `chalicelib/cost/rules.py`; do not edit it. `make cost ARGS='--devices 10000'`
estimates a fleet of your own, and `ARGS=--help` lists all options. The console has the same estimate at
*Settings → Cost*.

**These are estimates, not bills.** They multiply units that were counted in tests ([performance](performance.md)) by
list prices of {REGION} as of {DATE}, without free tier and discounts. DynamoDB's response time, the units of
indexes and the size of a device's items are assumptions. Check the prices before you rely on them.

Each device polls every 30 minutes, reports its inventory once a day, gets a token once a week, and installs one update
a month, in {CALLS["update"].requests} requests. Operators make 1,000 calls a day. The first tables leave out what
depends on how you use the server: downloads of artifacts, devices connected for remote access, and Lambda's own log
lines. [What can be added](#what-can-be-added) has those.
"""

OTHERS = f"""A month costs this much more. An artifact is downloaded from the bucket once for each device, at
${PRICES["egress"].dollars} a GB and less for large amounts. A connected device costs the minutes of its websocket and a
new connection every two hours; its pings are assumed to be free. By default Lambda logs three lines for each
invocation; `make deploy` switches that off. [SnapStart](install.md#snapstart) costs the time of each release's
snapshot, and a little for each cold start."""

LEVERS = """For 100,000 devices that poll every 30 minutes, are all connected for remote access, and download an
artifact of 20 MB a month. Every installation has the last two already: their number is what log lines would cost
without it, and what cold starts still cost."""


def rate(number: float) -> str:
    """A rate as text."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def page() -> str:
    """The page's text."""
    return (
        "\n".join(
            [HEAD, *_months(), *_parts(), *_others(), *_levers(), *_millions(), *_gateways(), *_loads(), *_prices()]
        )
        + "\n"
    )


_COUNTS = [f"{devices:,}" for devices in FLEETS]


def _months() -> list[str]:
    totals = {gateway: [bill(Fleet(devices), gateway).total for devices in FLEETS] for gateway in GATEWAYS}
    each = [total / devices for total, devices in zip(totals["REST API"], FLEETS, strict=True)]
    edge = [bill(Fleet(devices), "HTTP API", edge=True, relays=2).total for devices in FLEETS]
    rows = [[gateway, *map(money, totals[gateway])] for gateway in GATEWAYS]
    rows += [
        ["REST API, a device", *(f"${one:.4f}" for one in each)],
        ["HTTP API, edge, two relays", *map(money, edge)],
    ]
    polls = [Fleet(10_000, poll=seconds) for seconds in INTERVALS.values()]
    by_poll = [[gateway, *(money(bill(fleet, gateway).total) for fleet in polls)] for gateway in GATEWAYS]
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
    rows += [
        [title, *(money(bill(each, snapshots=kept).total - bill(each).total) for each in fleets)]
        for title, kept in {
            "SnapStart, the live release alone": 1,
            f"SnapStart, and the {KEPT - 1} before it": KEPT,
        }.items()
    ]
    return ["", "## What can be added", "", OTHERS, *table(["", *_COUNTS], rows)]


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
    gateways = "[Cheaper gateways](aws.md#cheaper-gateways) says how to change the gateway."
    return ["", "## What lowers it", "", LEVERS, *table(["part", "lever", "saves a month"], rows), "", gateways]


def _millions() -> list[str]:
    titles = {"poll": "poll", "token": "token", "inventory": "inventory", "update": "whole update", "page": "page"}
    rows = [[gateway, *(money(per_million(name, gateway)) for name in titles)] for gateway in GATEWAYS]
    return ["", "## A million calls", *table(["", *titles.values()], rows)]


def _gateways() -> list[str]:
    lines = [crossing("REST API", "HTTP API"), crossing("HTTP API", "load balancer")]
    return ["", "## When another gateway is cheaper", "", *lines]


def _loads() -> list[str]:
    fleets = [Fleet(devices) for devices in FLEETS]
    rows = [
        ["calls a second", *(rate(fleet.requests / HOURS / 3600) for fleet in fleets)],
        ["functions running", *(rate(fleet.seconds / HOURS / 3600) for fleet in fleets)],
        ["calls a second, if all reconnect within a minute", *(rate(devices / 60) for devices in FLEETS)],
    ]
    quotas = (
        "On average. In a region, AWS allows an account 10,000 calls a second and 1,000 functions running at once; new "
        "accounts\nmay have less ([quotas](operations.md#quotas-to-raise-at-aws-and-limits))."
    )
    return ["", "## Load", "", quotas, *table(["", *_COUNTS], rows)]


def _prices() -> list[str]:
    rows = [[f"{price.dollars:g}", price.per, "" if price.sure else "from memory"] for price in PRICES.values()]
    return ["", "## Prices", *table(["dollars", "for a", ""], rows)]


def crossing(dear: str, cheap: str) -> str:
    """From how many devices one gateway is cheaper than another, to two digits."""
    step = 10
    while step < 10**8:
        for devices in range(step, step * 10, max(1, step // 10)):
            if bill(Fleet(devices), cheap).total < bill(Fleet(devices), dear).total:
                return f"- {cheap} instead of {dear}: cheaper from {devices:,} devices on."
        step *= 10
    return f"- {cheap} is never cheaper than {dear}."


if __name__ == "__main__":
    pages.main(PAGE, page(), __doc__)

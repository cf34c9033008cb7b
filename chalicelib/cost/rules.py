"""The model of a month's bill on AWS, for ``make cost``, ``docs/cost.md`` and the console.

Units of calls are those of ``docs/performance.md`` (a test compares them); prices are list prices (``PRICES``).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

HOURS = 730
DAYS = HOURS / 24
MILLION = 1_000_000


class Price(msgspec.Struct, frozen=True):
    """A list price of us-east-1 in US dollars, without free tier or discount."""

    dollars: float
    per: str
    sure: bool = True
    """Whether the price was read on a public page; the others are from memory."""


DATE = "August 2026"
REGION = "us-east-1"
PRICES = {
    "rest": Price(3.50, "million calls of a REST API, up to 333 million; then $2.80, and $2.38 beyond 1 billion"),
    "http": Price(1.00, "million calls of an HTTP API, up to 300 million; then $0.90"),
    "balancer": Price(0.0225, "hour of a load balancer"),
    "capacity": Price(0.008, "hour of a load balancer's capacity unit"),
    "address": Price(0.005, "hour of a public IPv4 address", sure=False),
    "invocations": Price(0.20, "million invocations of functions"),
    "duration": Price(13.3334, "million GB-seconds of functions, arm64"),
    "snapshot": Price(1.5046, "million GB-seconds for which SnapStart keeps a version's snapshot, 3 hours at least"),
    "restored": Price(0.1397998, "thousand GB that SnapStart restores for new processes"),
    "reads": Price(0.125, "million read units of DynamoDB"),
    "writes": Price(0.625, "million write units of DynamoDB"),
    "stored": Price(0.45, "GB-month in DynamoDB, point-in-time recovery included", sure=False),
    "egress": Price(0.09, "GB to the internet, up to 10 TB; then $0.085, $0.07, $0.05"),
    "queues": Price(0.40, "million requests of SQS", sure=False),
    "alarm": Price(0.10, "month of a metric that an alarm watches", sure=False),
    "metric": Price(0.30, "month of a metric of one's own", sure=False),
    "cloudfront": Price(1.10, "million requests of CloudFront, its function included", sure=False),
    "firewall": Price(0.60, "million requests that the firewall looks at", sure=False),
    "rules": Price(7.00, "month of the firewall with two rules", sure=False),
    "relay": Price(0.01975, "hour of a relay: half a vCPU and 1 GB of Fargate, arm64", sure=False),
    "logs": Price(0.50, "GB written to CloudWatch Logs"),
    "connected": Price(0.25, "million minutes of an open websocket"),
}

TIERS = {
    "rest": ((333 * MILLION, 3.50), (667 * MILLION, 2.80), (math.inf, 2.38)),
    "http": ((300 * MILLION, 1.00), (math.inf, 0.90)),
    "egress": ((10_000, 0.09), (40_000, 0.085), (100_000, 0.07), (math.inf, 0.05)),
}
"""Prices that fall with the amount."""


class Call(msgspec.Struct, frozen=True):
    """What one call costs: a row of ``docs/performance.md``, and its processor time on one full core."""

    row: str
    """The beginning of the row in ``docs/performance.md``."""
    trips: int
    reads: float
    writes: float
    cpu: float
    """Milliseconds of processor time: of the app for a poll, of the whole server for the others."""
    requests: int = 1


CALLS = {
    "poll": Call("poll, nothing for the device, any number of open deployments", 1, 1, 0, 0.31),
    "token": Call("auth request, accepted device", 1, 1, 0, 3.0),
    "inventory": Call("inventory, changed", 3, 2, 6, 1.0),
    "unchanged": Call("inventory, unchanged", 1, 1, 0, 1.0),
    "update": Call("**a device's whole update**", 16, 11, 30, 10.5, requests=11),
    "page": Call("a page of the audit log", 3, 4, 0, 2.5),
    "connection": Call("a device's websocket: connect and disconnect", 7, 3.5, 6, 4.0, requests=2),
}
INDEX = 2
"""Write units that an inventory report costs in an index; not measured."""
TRIP = 4.0
"""Milliseconds until DynamoDB has answered; not measured."""
STORED = 8
"""KB that a device has in tables and indexes; not measured."""
TICK_READS = 17
"""Read units of a run of the schedule when nothing is due (once a minute, ``docs/performance.md``)."""
EMPTY_POLLS = 15
"""Requests a minute with which Lambda polls one idle queue."""
MEMORY = 1.0
"""GB of the API's function (``infra/deploy/functions.py``)."""
PLATFORM_LINES = 0.35
"""KB that Lambda logs about each invocation (START, END and REPORT) in text form at level INFO; not measured."""
INIT = 0.25
"""Seconds until a new process can answer its first call: paid like any other time; not measured on AWS."""
IDLE = 600
"""Seconds after which Lambda ends a process that nobody calls; not documented by AWS."""
LIFE = 2
"""Hours after which Lambda replaces a process that is busy; not documented by AWS."""
QUEUES = 7
ALARMS = 60
"""Metrics that the alarms of ``alarms.yaml`` watch: each is billed."""
METRICS = 21
"""The app's own metrics, if all of them are in use."""


class Fleet(msgspec.Struct, frozen=True):
    """A fleet and how it uses the server."""

    devices: int
    poll: float = 1800
    """Seconds between two polls; Mender's default."""
    report: float = 86_400
    """Seconds between two reports of a device's inventory. One a day is assumed to differ from the last."""
    updates: float = 1
    """Updates of each device in a month."""
    pages: float = 1000
    """Calls of operators in a day, whatever the fleet."""
    token_days: float = 7
    artifact: float = 0
    """MB that an update brings to a device, from the bucket."""
    connected: int = 0
    """Devices that keep a websocket open for remote access, all the time."""
    reconnect: float = 120
    """Minutes that such a websocket lasts. API Gateway ends each after two hours."""
    platform_logs: bool = False
    """Whether Lambda logs START, END and REPORT for each invocation. A stage turns these lines off."""

    @property
    def calls(self) -> dict[str, float]:
        """How often each call is made in a month."""
        reports = HOURS * 3600 / self.report
        changed = min(reports, DAYS)
        return {
            "poll": self.devices * HOURS * 3600 / self.poll,
            "token": self.devices * DAYS / self.token_days,
            "inventory": self.devices * changed,
            "unchanged": self.devices * (reports - changed),
            "update": self.devices * self.updates,
            "page": self.pages * DAYS,
            "connection": self.connected * HOURS * 60 / self.reconnect,
        }

    @property
    def requests(self) -> float:
        """Requests that the gateway bills in a month. Websockets have an API of their own, which bills minutes."""
        return sum(count * CALLS[name].requests for name, count in self.calls.items() if name != "connection")

    @property
    def invocations(self) -> float:
        """Invocations of functions in a month, including those of the schedule."""
        return self.requests + self.calls["connection"] * CALLS["connection"].requests + HOURS * 60

    @property
    def seconds(self) -> float:
        """Seconds for which functions run in a month; a run of the schedule takes 0.1."""
        return sum(n * milliseconds(CALLS[name]) for name, n in self.calls.items()) / 1000 + HOURS * 60 * 0.1

    @property
    def cold_starts(self) -> float:
        """New processes in a month: after a pause that ended the last one, and in place of old ones."""
        rate = self.requests / HOURS / 3600
        return self.requests * math.exp(-IDLE * rate) + math.ceil(self.seconds / HOURS / 3600) * HOURS / LIFE


def tiered(amount: float, name: str, unit: float = 1) -> float:
    """Dollars for an amount whose price falls in steps; ``unit`` is the amount that a price is for."""
    dollars, left = 0.0, amount
    for size, price in TIERS[name]:
        part = min(left, size)
        dollars += part / unit * price
        left -= part
    return dollars


def _balancer(requests: float) -> float:
    """Every call is a new connection; a capacity unit takes 25 a second. In two zones, each with an address."""
    units = requests / HOURS / 3600 / 25
    return HOURS * (PRICES["balancer"].dollars + units * PRICES["capacity"].dollars + 2 * PRICES["address"].dollars)


GATEWAYS: dict[str, Callable[[float], float]] = {
    "REST API": lambda requests: tiered(requests, "rest", MILLION),
    "HTTP API": lambda requests: tiered(requests, "http", MILLION),
    "load balancer": _balancer,
}
"""Dollars for the requests of a month through each gateway."""


def milliseconds(call: Call) -> float:
    """Billed milliseconds of a call. One core comes with 1,769 MB; rounding adds half a millisecond a request."""
    core = min(1.0, MEMORY * 1024 / 1769)
    return call.requests * 0.5 + call.cpu / core + call.trips * TRIP


class Bill(msgspec.Struct, frozen=True):
    """The parts of a month's bill, in US dollars."""

    parts: dict[str, float] = {}

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self.parts.values())


def bill(fleet: Fleet, gateway: str = "REST API", *, edge: bool = False, relays: int = 0, snapshots: int = 0) -> Bill:
    """What a fleet costs in a month through a gateway, with or without the edge and relays.

    ``snapshots``: the number of releases of which SnapStart keeps a snapshot.
    """
    made = {CALLS[name]: count for name, count in fleet.calls.items()}
    ticks = HOURS * 60
    reads = sum(count * call.reads for call, count in made.items()) + ticks * TICK_READS
    writes = sum(count * call.writes for call, count in made.items()) + fleet.calls["inventory"] * INDEX
    asked = QUEUES * EMPTY_POLLS * ticks
    answers = fleet.requests / MILLION  # GB: 1 KB an answer
    artifacts = fleet.calls["update"] * fleet.artifact / 1000  # GB
    parts = {
        f"gateway: {gateway}": GATEWAYS[gateway](fleet.requests),
        "functions": (
            fleet.invocations / MILLION * PRICES["invocations"].dollars
            + fleet.seconds * MEMORY / MILLION * PRICES["duration"].dollars
        ),
        "functions, cold starts": fleet.cold_starts * INIT * MEMORY / MILLION * PRICES["duration"].dollars,
        "tables": (
            reads / MILLION * PRICES["reads"].dollars
            + writes / MILLION * PRICES["writes"].dollars
            + fleet.devices * STORED / MILLION * PRICES["stored"].dollars
        ),
        "sent to the internet": tiered(answers, "egress"),
        "queues, asked while empty": asked / MILLION * PRICES["queues"].dollars,
        "alarms and metrics": ALARMS * PRICES["alarm"].dollars + METRICS * PRICES["metric"].dollars,
    }
    if artifacts:
        parts["artifacts sent to devices"] = tiered(answers + artifacts, "egress") - parts["sent to the internet"]
    if fleet.connected:
        parts["websockets of devices"] = fleet.connected * HOURS * 60 / MILLION * PRICES["connected"].dollars
    if fleet.platform_logs:
        parts["Lambda's own log lines"] = fleet.invocations * PLATFORM_LINES / MILLION * PRICES["logs"].dollars
    if edge:
        each = PRICES["cloudfront"].dollars + PRICES["firewall"].dollars
        parts["edge"] = PRICES["rules"].dollars + fleet.requests / MILLION * each
    if snapshots:
        parts["snapshots of the function"] = MEMORY * (
            snapshots * HOURS * 3600 / MILLION * PRICES["snapshot"].dollars
            + fleet.cold_starts / 1000 * PRICES["restored"].dollars
        )
    if relays:
        # A load balancer of their own, in two zones, and an address each.
        hourly = (
            PRICES["balancer"].dollars + relays * PRICES["relay"].dollars + (2 + relays) * PRICES["address"].dollars
        )
        parts["relays"] = HOURS * hourly
    return Bill(parts)


class Saving(msgspec.Struct, frozen=True):
    """What lowers a part of the bill, and by how many dollars a month."""

    part: str
    lever: str
    dollars: float


TWO_HOURS = 7200


def savings(fleet: Fleet, gateway: str) -> list[Saving]:
    """What would lower the bill of a fleet, each change alone, the largest saving first."""
    now = bill(fleet, gateway).total
    cheapest = min(GATEWAYS, key=lambda each: GATEWAYS[each](fleet.requests))
    found = [Saving("gateway", f"{cheapest} instead of {gateway}", now - bill(fleet, cheapest).total)]
    changes = {
        ("all calls", "poll every two hours"): replace(fleet, poll=max(fleet.poll, TWO_HOURS)),
        ("inventory", "report it once a day"): replace(fleet, report=max(fleet.report, Fleet(0).report)),
        ("artifacts", "compression or deltas: half the bytes"): replace(fleet, artifact=fleet.artifact / 2),
        ("websockets", "mender-connect on a tenth of the devices"): replace(
            fleet, connected=min(fleet.connected, fleet.devices // 10)
        ),
    }
    found += [Saving(part, lever, now - bill(changed, gateway).total) for (part, lever), changed in changes.items()]
    return sorted((each for each in found if each.dollars > 0), key=lambda each: -each.dollars)


def updates(number: float, sent: float, gateway: str = "REST API") -> Bill:
    """What updates of this number of devices cost in addition, if they send ``sent`` GB of artifacts."""
    call = CALLS["update"]
    return Bill(
        {
            f"gateway: {gateway}": GATEWAYS[gateway](number * call.requests),
            "functions and tables": number / MILLION * _behind_gateway(call),
            "artifacts sent to devices": tiered(sent, "egress"),
        }
    )


def per_million(name: str, gateway: str) -> float:
    """Dollars for a million more calls of one kind in a large fleet, without what does not depend on calls."""
    call = CALLS[name]
    many = 100 * MILLION
    front = (GATEWAYS[gateway](2 * many) - GATEWAYS[gateway](many)) / (many / MILLION) * call.requests
    return front + _behind_gateway(call)


def _behind_gateway(call: Call) -> float:
    """Dollars for a million calls of one kind in functions and tables."""
    functions = call.requests * PRICES["invocations"].dollars
    functions += milliseconds(call) / 1000 * MEMORY * PRICES["duration"].dollars
    return functions + call.reads * PRICES["reads"].dollars + call.writes * PRICES["writes"].dollars


def money(dollars: float) -> str:
    """Dollars as text, with cents below $100."""
    return f"${dollars:,.0f}" if dollars >= 100 else f"${dollars:,.2f}"

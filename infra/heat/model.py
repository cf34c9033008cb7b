"""The load on each key: the recorded load of a call, times calls per second, divided by the keys that share it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from infra.heat.scenarios import with_control
from infra.heat.traffic import SIZES

if TYPE_CHECKING:
    from infra.heat.scenarios import Fleet, Scenario
    from infra.heat.traffic import Recording

WRITE_UNITS, READ_UNITS = 1_000, 3_000
"""Limits of one partition per second:
``docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html``. DynamoDB may split a hot
partition by sort key after a while; the model does not assume it."""
BAR = 0.25
"""The share of a limit that no key should exceed with a million devices in one tenant."""

_NAME = re.compile(r"\{(\w+)\}")


class Load(msgspec.Struct, frozen=True):
    """The load per second on one key of a table or an index."""

    table: str
    index: str
    key: str
    reads: float
    writes: float

    @property
    def share(self) -> float:
        """The share of a limit that it uses; 1 is the whole limit."""
        return max(self.reads / READ_UNITS, self.writes / WRITE_UNITS)

    @property
    def name(self) -> str:
        """Table, index and key as the page shows them."""
        return f"{self.table}{'.' + self.index if self.index else ''} {self.key}"


def spread(key: str, fleet: Fleet, recording: Recording) -> float:
    """Over how many keys of this form the calls of the whole fleet are spread evenly."""
    names = _NAME.findall(key)
    if "call" in names:
        return float("inf")
    if "device" in names:
        return fleet.devices
    owners = fleet.tenants if {"tenant", "deployment"} & set(names) else 1
    for name in names:
        if name not in {"tenant", "deployment"}:
            owners *= parts(name, fleet, recording)
    return owners


def parts(name: str, fleet: Fleet, recording: Recording) -> int:
    """The number of parts of each kind (such as counters) in a tenant of the fleet."""
    sizes = recording.parts[name]
    return sizes[min(bisect_left(SIZES, fleet.each), len(sizes) - 1)]


def loads(recording: Recording, scenario: Scenario, fleet: Fleet) -> list[Load]:
    """The load on every kind of key, the hottest first."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for call, rate in with_control(scenario.rates(fleet)).items():
        for access in recording.calls[call] if rate else ():
            each = rate / spread(access.key, fleet, recording)
            total = found[access.table, access.index, access.key]
            total[0] += each * access.reads
            total[1] += each * access.writes
    return sorted((Load(*key, *units) for key, units in found.items()), key=lambda load: load.share, reverse=True)

"""``make heat``: which keys of DynamoDB become hot with a fleet."""

from __future__ import annotations

import argparse

from infra.heat import traffic
from infra.heat.model import loads
from infra.heat.page import outcome, percent
from infra.heat.scenarios import SCENARIOS, Fleet


def main() -> None:
    """Print the hottest keys of a fleet for each scenario."""
    parser = argparse.ArgumentParser(prog="make heat", description=__doc__)
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--tenants", type=int, default=1, help="tenants, with equal numbers of devices")
    parser.add_argument("--poll", type=float, default=Fleet(0).poll, help="seconds between two polls of a device")
    parser.add_argument("--layout", choices=(traffic.CURRENT, traffic.FIRST), default=traffic.CURRENT)
    parser.add_argument("--keys", type=int, default=5, help="how many keys of each scenario to show")
    given = parser.parse_args()
    fleet = Fleet(given.devices, given.tenants, given.poll)
    recording = traffic.load(given.layout)
    for scenario in SCENARIOS:
        found = outcome(given.layout, scenario, fleet)
        print(f"\n{scenario.name}: {percent(found.share)} get 503, p99 {found.p99 * 1000:.0f} ms")
        for load in loads(recording, scenario, fleet)[: given.keys]:
            print(
                f"  {percent(load.share):>10} {load.writes:>10,.0f} writes/s {load.reads:>10,.0f} reads/s  {load.name}"
            )


if __name__ == "__main__":
    main()

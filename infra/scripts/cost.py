"""``make cost``: what a fleet costs in a month on AWS.

``python -m infra.scripts.cost --devices 10000`` prices one fleet by the model of ``chalicelib.cost.rules``;
``infra.scripts.cost_page`` writes ``docs/cost.md``.
"""

from __future__ import annotations

import argparse

from chalicelib.cost.rules import GATEWAYS, MILLION, Fleet, bill, money


def main() -> None:
    """Price a fleet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--poll", type=float, default=Fleet(0).poll, help="seconds between two polls of a device")
    parser.add_argument(
        "--report", type=float, default=Fleet(0).report, help="seconds between reports of the inventory"
    )
    parser.add_argument("--updates", type=float, default=Fleet(0).updates, help="of each device in a month")
    parser.add_argument("--artifact", type=float, default=0, help="MB that an update brings")
    parser.add_argument("--connected", type=int, default=0, help="devices that stay connected for remote access")
    parser.add_argument("--reconnect", type=float, default=Fleet(0).reconnect, help="minutes a websocket lasts")
    parser.add_argument("--platform-logs", action="store_true", help="with Lambda's START, END and REPORT lines")
    parser.add_argument("--edge", action="store_true", help="with CloudFront and its firewall")
    parser.add_argument("--relays", type=int, default=0, help="copies of the relay")
    parser.add_argument("--snapshots", type=int, default=0, help="releases of which SnapStart keeps a snapshot")
    given = parser.parse_args()
    fleet = Fleet(
        given.devices,
        poll=given.poll,
        report=given.report,
        updates=given.updates,
        artifact=given.artifact,
        connected=given.connected,
        reconnect=given.reconnect,
        platform_logs=given.platform_logs,
    )
    print(f"{fleet.devices:,} devices, {fleet.requests / MILLION:,.2f} million calls a month, about:")
    for gateway in GATEWAYS:
        priced = bill(fleet, gateway, edge=given.edge, relays=given.relays, snapshots=given.snapshots)
        print(f"\n{gateway}: {money(priced.total)}, {money(priced.total / max(1, fleet.devices))} a device")
        for name, dollars in priced.parts.items():
            print(f"  {name:32} {money(dollars):>12}")


if __name__ == "__main__":
    main()

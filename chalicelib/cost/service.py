"""The estimate of a month's bill, as the console shows it."""

from __future__ import annotations

from chalicelib.cost import rules
from chalicelib.cost.rules import Fleet
from chalicelib.cost.shapes import Bill, Estimate, Levers, Part, Saving


def estimate(levers: Levers) -> Estimate:
    """What a fleet costs in a month through each gateway, and what would lower it."""
    fleet = Fleet(
        levers.devices,
        poll=levers.poll,
        report=levers.report,
        updates=levers.updates,
        artifact=levers.artifact,
        connected=levers.connected,
    )
    return Estimate(
        rules.REGION, rules.DATE, levers, round(fleet.requests), [_bill(fleet, gateway) for gateway in rules.GATEWAYS]
    )


def of_updates(number: float, sent: float) -> tuple[float, float]:
    """Dollars for the updates of this number of devices: for their requests, and for ``sent`` bytes of artifacts."""
    found = rules.updates(number, sent / _GB)
    transfer = found.parts["artifacts sent to devices"]
    return found.total - transfer, transfer


_GB = 1_000_000_000


def _bill(fleet: Fleet, gateway: str) -> Bill:
    found = rules.bill(fleet, gateway)
    parts = [Part(name, _cents(dollars)) for name, dollars in found.parts.items()]
    saved = [Saving(each.part, each.lever, _cents(each.dollars)) for each in rules.savings(fleet, gateway)]
    return Bill(gateway, _cents(found.total), parts, saved)


def _cents(dollars: float) -> float:
    return round(dollars, 2)

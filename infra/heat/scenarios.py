"""The scenarios: calls of each kind per second, in the situations that load single keys most."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from chalicelib.fleet.places import BLOCK
from chalicelib.settings import Settings

HOUR, DAY, WEEK = 3_600, 86_400, 604_800
CALL_SECONDS = 0.05
"""Seconds for which a call occupies a process of the function; not measured on AWS."""
CONTROL_SECONDS = Settings().control_cache
"""Seconds for which a process caches a tenant's control item (``settings.control_cache``)."""

Rates = Mapping[str, float]
"""Calls per second, by the recording's kinds of calls."""


class Fleet(msgspec.Struct, frozen=True):
    """Devices and how they are divided among tenants."""

    devices: int
    tenants: int = 1
    poll: float = 1_800
    """Seconds between two polls."""

    @property
    def each(self) -> float:
        """The number of devices of one tenant."""
        return self.devices / self.tenants


class Scenario(msgspec.Struct, frozen=True):
    """A situation. Each tenant has one deployment, which its devices are installing."""

    name: str
    rates: Callable[[Fleet], Rates]
    is_new: bool = False
    """Whether version 0.1.0 had no such calls."""


_REPORTS = ("report downloading", "report installing", "report rebooting", "report success")


def _steady(fleet: Fleet) -> dict[str, float]:
    n = fleet.devices
    return {
        "poll": n / fleet.poll,
        "token": n / WEEK,
        "token, check-in": n / DAY,
        "inventory, changed": n / DAY,
        "inventory, unchanged": n / (8 * HOUR),
    }


def _rollout(begin: str, kind: str = "") -> Callable[[Fleet], Rates]:
    """Every device begins at its next poll, and reports four times."""

    def rates(fleet: Fleet) -> Rates:
        polls = fleet.devices / fleet.poll
        reports = [f"{report}{kind}" for report in _REPORTS]
        return _steady(fleet) | {"poll": 0, begin: polls} | dict.fromkeys(reports, polls)

    return rates


def _bad_release(fleet: Fleet) -> Rates:
    """Every device begins at its next poll and fails, as if nothing stopped the deployment."""
    polls = fleet.devices / fleet.poll
    reports = [*(f"{report} in a rollout" for report in _REPORTS[:2]), "report failure in a rollout"]
    return _steady(fleet) | {"poll": 0, "begin in a rollout": polls} | dict.fromkeys(reports, polls)


def _back_within(seconds: float) -> Callable[[Fleet], Rates]:
    """All devices return after an outage: each gets a token, polls, and reports an unchanged inventory."""

    def rates(fleet: Fleet) -> Rates:
        every = fleet.devices / seconds
        return {"token, check-in": every, "poll": every, "inventory, unchanged": every}

    return rates


def _first_contact(fleet: Fleet) -> Rates:
    """Preauthorized devices appear, each within one interval, and report their inventory."""
    every = fleet.devices / fleet.poll
    return {
        "first contact": every * (1 - 1 / BLOCK),
        # The others find no free place for an accepted device in their part.
        "first contact, new places": every / BLOCK,
        "poll": every,
        "inventory, first": every,
    }


def _let_in(fleet: Fleet) -> Rates:
    """New devices appear, each within one interval, which a rule accepts, and report their inventory."""
    every = fleet.devices / fleet.poll
    return {"accepted by a rule": every, "poll": every, "inventory, first": every}


def _inventories(fleet: Fleet) -> Rates:
    return _steady(fleet) | {"inventory, changed": fleet.devices / fleet.poll}


SCENARIOS = (
    Scenario("nothing happens", _steady),
    Scenario("rollout to all devices, one phase", _rollout("begin")),
    Scenario("rollout to all devices, ten phases", _rollout("begin in a phase")),
    Scenario("rollout by a filter, with a limit", _rollout("begin by a filter", " by a filter")),
    Scenario("rollout with gates, a stop and a rate", _rollout("begin in a rollout", " in a rollout"), is_new=True),
    Scenario("the same, and all devices fail", _bad_release, is_new=True),
    Scenario("all devices come back within 10 minutes", _back_within(600)),
    Scenario("all devices come back within a minute", _back_within(60)),
    Scenario("preauthorized devices appear", _first_contact),
    Scenario("a rule accepts all devices", _let_in, is_new=True),
    Scenario("all devices report another inventory", _inventories),
)


def with_control(rates: Rates) -> dict[str, float]:
    """The rates, with the reads of control items that each process makes when its cache expires."""
    calls = sum(rates.values())
    processes = calls * CALL_SECONDS
    return {**rates, "control item": min(calls, processes / CONTROL_SECONDS)}

"""A simulation of transactions that conflict on an item.

DynamoDB cancels a transaction if another one holds one of its items; the server tries it again after a random
pause (``chalicelib/storage/transactions.py``), and after the last attempt answers 503. How long DynamoDB holds items
is not documented; the hold times here are an assumption, somewhat longer than the service usually takes to answer.
"""

from __future__ import annotations

import heapq
import random
from typing import TYPE_CHECKING

import msgspec

from chalicelib.storage import transactions
from infra.heat.model import spread
from infra.heat.scenarios import Fleet, Scenario, with_control

if TYPE_CHECKING:
    from infra.heat.traffic import Recording


class Rules(msgspec.Struct, frozen=True):
    """The parameters of transactions."""

    hold: tuple[float, float] = (0.008, 0.015)
    """Seconds for which a transaction holds its items: uniformly distributed between these."""
    attempts: int = transactions._ATTEMPTS
    """Maximum attempts of a transaction (``storage.transactions``)."""
    pause: float = transactions._BACKOFF
    """Maximum of the first pause between attempts, in seconds; it doubles five times."""


class Outcome(msgspec.Struct, frozen=True):
    """The result of the simulated transactions."""

    tried: int
    refused: int
    """Transactions that failed in every attempt: the caller gets 503."""
    p99: float
    """Seconds from the first attempt within which 99 of 100 were committed."""

    @property
    def share(self) -> float:
        """The share of transactions that failed in every attempt."""
        return self.refused / max(1, self.tried)


Kind = tuple[float, list[tuple[str, int, float]]]
"""Transactions per second, and the items that each may lock: name, number of such items, probability."""


def kinds(recording: Recording, scenario: Scenario, fleet: Fleet) -> list[Kind]:
    """The transactions of a scenario, with the items that devices share. Items of a single device never conflict."""
    found = []
    for call, rate in with_control(scenario.rates(fleet)).items():
        shared = []
        for access in recording.calls[call] if rate else ():
            among = spread(access.key + access.item, fleet, recording)
            if access.locks and among < fleet.devices:
                shared.append((f"{access.table} {access.key} {access.item}", int(among), access.locks))
        if shared:
            found.append((rate, shared))
    return found


def simulate(given: list[Kind], rules: Rules, *, transactions: int = 10_000, seed: int = 1) -> Outcome:
    """Simulate this many transactions that begin at random times, at the rates of their kinds."""
    total = sum(rate for rate, _ in given)
    if not total:
        return Outcome(0, 0, 0.0)
    draw = random.Random(seed)  # noqa: S311  # a simulation
    queue: list[_Try] = []
    begun = 0.0
    choices = draw.choices([items for _, items in given], [rate for rate, _ in given], k=transactions)
    for number, items in enumerate(choices):
        begun += draw.expovariate(total)
        locked = [(name, draw.randrange(among)) for name, among, often in items if draw.random() < often]
        queue.append((begun, number, 0, begun, locked))
    return _run(queue, rules, draw)


_Try = tuple[float, int, int, float, list[tuple[str, int]]]
"""One attempt: its time, the transaction's number, attempts before it, when the transaction began, its items."""


def _run(queue: list[_Try], rules: Rules, draw: random.Random) -> Outcome:
    free: dict[tuple[str, int], float] = {}  # when each item will be free again
    tried, refused, waits = len(queue), 0, []
    heapq.heapify(queue)
    while queue:
        now, number, attempt, begun, items = heapq.heappop(queue)
        if all(free.get(item, 0.0) <= now for item in items):
            end = now + draw.uniform(*rules.hold)
            free.update(dict.fromkeys(items, end))
            waits.append(end - begun)
        elif attempt + 1 == rules.attempts:
            refused += 1
        else:
            pause = draw.uniform(0, rules.pause * 2 ** min(attempt, 5))
            heapq.heappush(queue, (now + pause, number, attempt + 1, begun, items))
    waits.sort()
    return Outcome(tried, refused, waits[int(len(waits) * 0.99)] if waits else float("inf"))

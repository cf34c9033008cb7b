"""A phased deployment with retries, and one that is aborted in the middle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.simulator.fleet import Fleet
from tests.simulator.management import Operator

RETRIES = 1
LEAD = 0.5
"""Seconds between the creation of a deployment and its first phase, during which no device may get it."""
MARGIN = 0.1
"""Seconds between the opening of a phase and the polls, as a margin between two readings of the clock."""


class Phased:
    """A deployment in phases: each has a share of the fleet, and the last one the rest."""

    def __init__(self, fleet: Fleet, shares: Sequence[int], interval: float, lead: float = LEAD) -> None:
        self._fleet = fleet
        self._shares = shares
        self._interval = interval
        self._lead = lead
        self._began = 0.0
        self.deployment = ""

    async def create(self, operator: Operator, name: str, artifact: str) -> str:
        """Create the deployment, which begins later; returns its id."""
        first = datetime.now(UTC) + timedelta(seconds=self._lead)
        self._began = time.monotonic() + self._lead
        phases: list[dict[str, Any]] = [
            {"start_ts": (first + timedelta(seconds=index * self._interval)).isoformat()}
            for index in range(len(self._shares) + 1)
        ]
        for phase, share in zip(phases, self._shares, strict=False):
            phase["batch_size"] = share
        self.deployment = await operator.deploy(name, artifact, self._fleet.ids, phases=phases, retries=RETRIES)
        self._fleet.tally.retries[self.deployment] = RETRIES
        return self.deployment

    async def run(self) -> None:
        """All devices poll before it begins, and again in each phase."""
        await self._fleet.check()
        for index in range(len(self._shares) + 1):
            await self.phase(index)

    async def phase(self, index: int) -> None:
        """All devices poll after a phase has opened."""
        await asyncio.sleep(max(0.0, self._began + index * self._interval + MARGIN - time.monotonic()))
        await self._fleet.check()

    async def run_into_an_abort(self, operator: Operator) -> None:
        """The same, but the operator aborts it in the second phase."""
        await self.phase(0)
        second = asyncio.create_task(self.phase(1))
        done = self._fleet.tally.done(self.deployment)
        while self._fleet.tally.done(self.deployment) == done and not second.done():  # noqa: ASYNC110  # as in test_fleet
            await asyncio.sleep(0.01)
        self._fleet.tally.aborted.add(self.deployment)
        await operator.abort(self.deployment)
        await second
        await self.phase(2)

    async def differences(self, operator: Operator) -> list[str]:
        """Contradictions in the server's numbers of its phases; empty if there are none."""
        phases = (await operator.show(self.deployment))["phases"]
        begun = [int(phase["device_count"]) for phase in phases]
        known = len(self._fleet.tally.outcomes.get(self.deployment, {}))
        wrong = [] if sum(begun) == known else [f"{known} devices have begun, the phases count {begun}"]
        room = 0
        for index, share in enumerate(self._shares):
            room += len(self._fleet.devices) * share // 100
            if sum(begun[: index + 1]) > room:
                wrong.append(f"{begun} devices have begun in phases that had room for {room} up to phase {index + 1}")
        return wrong

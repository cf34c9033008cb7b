"""Fixtures of the tests of safe rollouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chalicelib.deployments.service import managing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.deployments.world import World
    from tests.simulator.device import Device
    from tests.support.time import Clock


@pytest.fixture
def fleet(world: World, moment: Clock) -> list[Device]:
    """Ten devices that can install release two."""
    world.upload("two")
    return [world.device() for _ in range(10)]


@pytest.fixture
def tick(moment: Clock) -> Callable[..., None]:
    """Lets time pass, and runs the schedule."""

    def run(**by: float) -> None:
        moment.move(**by)
        managing.tick(moment.time)

    return run

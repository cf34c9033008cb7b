"""Random histories of safe rollouts: the server equals the model after each step (``histories``).

Hypothesis draws a seed for each history. Were it to draw the steps, most of them would be alike.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.deployments.lifecycle import DEVICES, REPORTS
from tests.deployments.model import ZONES, Gate, Pace
from tests.deployments.rollouts.histories import Protection, Rollouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.testing import LocalServer


def one_of(*values: Any) -> Callable[[Random], Any]:
    return lambda random: random.choice(values)


def pace(random: Random) -> Pace:
    return Pace(
        rate=random.choice([None, None, 1, 2]),
        window=random.choice([*[None] * 4, (0, 6), (3, 20), (12, 11)]),
        zone=random.choice(list(ZONES)),
        is_own=random.choice([True, True, False]),
        jitter=random.choice([0, 0, 0, 0, 20]),
        skips=random.choice([True, False]),
    )


def protection(random: Random) -> Protection:
    gate = Gate(percent=random.choice([100, 50]), soak=random.choice([0, 0, 3]))
    return Protection(
        gate=random.choice([gate, None]),
        sizes=random.choice([(), (), (1,), (2, 1)]),
        max_failures=random.choice([None, None, 1, 2]),
        retries=random.choice([0, 0, 1]),
        hours=random.choice([0, 0, 0, 1]),
        asks=random.choice([True, False]),
    )


DEVICE = one_of(*range(DEVICES))
WHICH = one_of(*range(4))
OFTEN = one_of(True, True, True, False)
STEPS: dict[str, tuple[int, dict[str, Callable[[Random], Any]]]] = {
    "safeguard": (
        6,
        {
            "chosen": one_of({0, 1, 2, 3, 4}, {1, 2, 3}, {0, 4}),
            "dynamic": one_of(None, None, None, 0, 1, 2),
            "pace": pace,
            "protection": protection,
            "succeed": one_of(True, False),
        },
    ),
    "wait": (
        10,
        {
            "minutes": one_of(0.5, 1, 1, 5, 20, 60, 300, 600, 900),
            "ticks": one_of(0, 1, 1),
            "devices": lambda random: random.sample(range(DEVICES), DEVICES),
            "succeed": one_of(True, False),
        },
    ),
    "finish": (2, {"devices": lambda random: set(random.sample(range(DEVICES), 2))}),
    "work": (3, {"device": DEVICE, "statuses": lambda random: random.choices(REPORTS, k=3)}),
    "fail": (4, {"device": DEVICE}),
    "explain": (4, {"device": DEVICE}),
    "decide": (4, {"which": WHICH, "approve": OFTEN, "is_second": OFTEN}),
    "pause": (2, {"which": WHICH}),
    "resume": (2, {"which": WHICH}),
    "open_phase": (1, {"which": WHICH}),
    "abort_oldest": (4, {}),
    "move": (3, {"device": DEVICE, "zone": one_of(*ZONES, "Nowhere/At_all")}),
    "tag": (2, {"device": DEVICE, "is_here": OFTEN}),
    "forget": (1, {"device": DEVICE}),
    "withdraw": (1, {"device": DEVICE, "really": one_of(True)}),
    "decommission": (1, {"device": DEVICE, "really": one_of(True, False, False, False)}),
    "configure": (1, {"device": DEVICE, "retries": one_of(0), "finishes": one_of(True, False)}),
}
"""What may happen, how often in comparison with the others, and its arguments."""
NAMES = list(STEPS)
WEIGHTS = [often for often, _ in STEPS.values()]


@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a smaller seed is no shorter history
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**32 - 1))
def run(server: LocalServer, seed: int) -> None:
    random = Random(seed)
    Rollouts.server = server
    history = Rollouts()
    try:
        history.begin()
        for name in random.choices(NAMES, WEIGHTS, k=50):
            arguments = {key: draw(random) for key, draw in STEPS[name][1].items()}
            note(f"{name}: {arguments}")
            getattr(history, name)(**arguments)
            history.server_equals_the_model()
    finally:
        history.teardown()


def test_the_server_equals_the_model_with_rollouts(server: LocalServer) -> None:
    run(server)
    # The histories of CI contain everything; new ones may happen to lack something.
    if settings().derandomize:
        assert {name for name, number in Rollouts.outcomes.items() if number} >= EVERYTHING


EVERYTHING = {
    "stopped",
    "gate opened",
    "paused",
    "phase-not-open",
    "phase-full",
    "window-closed",
    "delayed",
    "rate-reached",
    "behind-another",
    "waits-for-approval",
}

"""Random histories of safe rollouts: the server equals the model after each step (``histories``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.deployments.lifecycle import DEVICES, REPORTS
from tests.deployments.model import ZONES, Gate, Pace
from tests.deployments.rollouts.histories import Protection, Rollouts

if TYPE_CHECKING:
    from infra.local.testing import LocalServer

DEVICE = st.integers(0, DEVICES - 1)
WHICH = st.integers(0, 3)
PACES = st.builds(
    Pace,
    rate=st.sampled_from([None, None, 1, 2]),
    window=st.sampled_from([*[None] * 6, (0, 6), (3, 20), (12, 11)]),
    zone=st.sampled_from(list(ZONES)),
    is_own=st.booleans(),
    jitter=st.sampled_from([0, 0, 0, 0, 20]),
    skips=st.booleans(),
)
PROTECTIONS = st.builds(
    Protection,
    gate=st.none() | st.builds(Gate, percent=st.sampled_from([100, 50]), soak=st.sampled_from([0, 0, 3])),
    sizes=st.sampled_from([(), (), (1,), (2, 1)]),
    max_failures=st.sampled_from([None, None, 1, 2]),
    retries=st.sampled_from([0, 0, 1]),
    hours=st.sampled_from([0, 0, 0, 1]),
    asks=st.booleans(),
)
STEPS: dict[str, tuple[int, dict[str, st.SearchStrategy[Any]]]] = {
    "safeguard": (
        6,
        {
            "chosen": st.sampled_from([{0, 1, 2, 3, 4}, {1, 2, 3}, {0, 4}]),
            "dynamic": st.sampled_from([None, None, None, 0, 1, 2]),
            "pace": PACES,
            "protection": PROTECTIONS,
            "succeed": st.booleans(),
        },
    ),
    "wait": (
        10,
        {
            "minutes": st.sampled_from([0.5, 1, 1, 5, 20, 60, 300, 600, 900]),
            "ticks": st.sampled_from([0, 1, 1]),
            "devices": st.permutations(range(DEVICES)),
            "succeed": st.booleans(),
        },
    ),
    "finish": (2, {"devices": st.sets(DEVICE, min_size=2)}),
    "work": (3, {"device": DEVICE, "statuses": st.lists(st.sampled_from(REPORTS), min_size=1, max_size=3)}),
    "fail": (4, {"device": DEVICE}),
    "explain": (4, {"device": DEVICE}),
    "decide": (4, {"which": WHICH, "approve": st.sampled_from([True, True, False]), "is_second": st.booleans()}),
    "pause": (2, {"which": WHICH}),
    "resume": (2, {"which": WHICH}),
    "open_phase": (1, {"which": WHICH}),
    "abort_oldest": (4, {}),
    "move": (1, {"device": DEVICE, "zone": st.sampled_from([*ZONES, "Nowhere/At_all"])}),
    "tag": (2, {"device": DEVICE, "is_here": st.sampled_from([True, True, False])}),
    "forget": (1, {"device": DEVICE}),
    "withdraw": (1, {"device": DEVICE, "really": st.just(True)}),
    "decommission": (1, {"device": DEVICE, "really": st.sampled_from([True, False, False, False])}),
    "configure": (1, {"device": DEVICE, "retries": st.just(0), "finishes": st.booleans()}),
}
"""What may happen, how often in comparison with the others, and its arguments."""
NAMES = [name for name, (often, _) in STEPS.items() for _ in range(often)]
step = st.sampled_from(NAMES).flatmap(lambda name: st.tuples(st.just(name), st.fixed_dictionaries(STEPS[name][1])))


@settings(
    max_examples=12,
    deadline=None,
    # A failing history is short enough to read; shrinking it would take minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(steps=st.lists(step, min_size=40, max_size=50))
def run(server: LocalServer, steps: list[tuple[str, dict[str, Any]]]) -> None:
    Rollouts.server = server
    history = Rollouts()
    try:
        history.begin()
        for name, arguments in steps:
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

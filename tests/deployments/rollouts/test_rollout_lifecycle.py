"""Random histories with pauses, phases opened by hand and stops: the server equals the model after each step."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from tests.deployments.model import Deployment
from tests.deployments.rollouts.test_gates import state, steer
from tests.deployments.test_lifecycle import Lifecycle

if TYPE_CHECKING:
    from infra.local.testing import LocalServer


class Rollouts(Lifecycle):
    """The histories of ``Lifecycle``, in which operators and failures also pause deployments."""

    stopped = 0
    """How often failures have stopped a deployment, in all histories."""
    passed = 0
    """How often a gate has opened a phase."""

    @rule(most=st.integers(1, 2), chosen=st.sampled_from([{0, 1, 2, 3, 4}, {0, 1, 2}]))
    def protect(self, most: int, chosen: set[int]) -> None:
        """A deployment that failures stop; its devices begin."""
        ids = [self.devices[each].id for each in sorted(chosen)]
        name = f"rollout {len(self.deployments)}"
        made = self.world.deploy("two", ids, name=name, rollout={"stop": {"max_failures": most}})
        self.deployments.append(Deployment(made, len(self.deployments) + 1, chosen, "two", 0, max_failures=most))
        for device in sorted(chosen):
            self._poll(device)

    @rule(
        sizes=st.sampled_from([(1,), (2,), (1, 2)]),
        chosen=st.sampled_from([{0, 1, 2, 3, 4}, {1, 2, 3, 4}]),
        hours=st.integers(0, 1),
    )
    def gate(self, sizes: tuple[int, ...], chosen: set[int], hours: int) -> None:
        """In phases that open when all devices of the one before have succeeded; the first devices begin."""
        batches = [{"batch_size_devices": size} for size in sizes]
        ids = [self.devices[each].id for each in sorted(chosen)]
        name, now = f"rollout {len(self.deployments)}", self.moment.time
        made = self.world.deploy("two", ids, name=name, rollout={"gate": {}}, phases=[*batches, {}])
        bounds: list[int | None] = [sum(sizes[: number + 1]) for number in range(len(sizes))]
        planned = [(now, bound) for bound in [*bounds, None]]
        deployment = Deployment(made, len(self.deployments) + 1, chosen, "two", 0, planned)
        deployment.gated_from = now + timedelta(minutes=1)
        self.deployments.append(deployment)
        for device in sorted(chosen):
            self._poll(device)
            self._finish(device)
        self._time_passes(hours, 1)
        for device in sorted(chosen):
            self._poll(device)

    def _change(self, device: int, deployment: Deployment, status: str) -> None:
        before = deployment.failures
        super()._change(device, deployment, status)
        self._stop(deployment, before)

    def _time_passes(self, hours: int, ticks: int) -> None:
        before = {each.id: each.failures for each in self.deployments}
        for each in self.deployments if ticks else ():
            type(self).passed += each.look(self.moment.time + timedelta(hours=hours))
        super()._time_passes(hours, ticks)
        for each in self.deployments:
            self._stop(each, before[each.id])

    def _stop(self, deployment: Deployment, before: int) -> None:
        """Pause a deployment that had ``before`` failures, if it has too many now."""
        most = deployment.max_failures
        if most is None or not deployment.open or deployment.paused_at or deployment.failures <= before:
            return
        if deployment.failures - deployment.accepted >= most:
            deployment.paused_at = self.moment.time
            type(self).stopped += 1

    @precondition(lambda self: self.deployments)
    @rule(which=st.integers(0, 3))
    def pause(self, which: int) -> None:
        deployment = self._choose(which)
        answer = steer(self.world, deployment.id, "pause")

        assert answer.status_code == (204 if deployment.open else 409), answer.text
        if deployment.open and not deployment.paused_at:
            deployment.paused_at = self.moment.time

    @precondition(lambda self: any(each.paused_at and each.open for each in self.deployments))
    @rule(which=st.integers(0, 3))
    def resume(self, which: int) -> None:
        paused = [each for each in self.deployments if each.paused_at and each.open]
        deployment = paused[which % len(paused)]
        assert state(self.world, deployment.id)["state"] in {"paused", "stopped"}
        assert steer(self.world, deployment.id, "resume").status_code == 204
        assert deployment.paused_at is not None
        deployment.paused_for += timedelta(seconds=int((self.moment.time - deployment.paused_at).total_seconds()))
        deployment.paused_at = None
        self._look_later(deployment)
        deployment.accepted = deployment.failures

    @precondition(lambda self: any(each.phases for each in self.deployments))
    @rule(which=st.integers(0, 3))
    def open_phase(self, which: int) -> None:
        phased = [each for each in self.deployments if each.phases]
        deployment = phased[-1 - which % len(phased)]
        opened = (deployment.phase(self.moment.time) or 0) + 1
        answer = steer(self.world, deployment.id, "open_phase", phase=opened + 1)

        works = deployment.open and not deployment.paused_at and opened < len(deployment.phases)
        assert answer.status_code == (204 if works else 409), answer.text
        if works:
            deployment.opened = opened + 1
            self._look_later(deployment)

    def _look_later(self, deployment: Deployment) -> None:
        if deployment.gated_from:
            deployment.gated_from = self.moment.time + timedelta(minutes=1)

    def _choose(self, which: int) -> Deployment:
        return self.deployments[-1 - which % len(self.deployments)]


def test_the_server_equals_the_model_with_rollouts(server: LocalServer) -> None:
    Rollouts.server = server
    run_state_machine_as_test(
        Rollouts,
        settings=settings(
            max_examples=12,
            stateful_step_count=40,
            deadline=None,
            # A failing history is short enough to read; shrinking it would take minutes.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    # The histories of CI contain stops and open gates; new ones may happen to have none.
    assert (Rollouts.stopped > 0 and Rollouts.passed > 0) or not settings().derandomize

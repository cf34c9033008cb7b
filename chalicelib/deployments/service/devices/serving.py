"""``deployments/next``: which update a device gets (``docs/behaviour.md#polling``).

``polling`` answers the polls of devices for which nothing can wait, and passes on all others. The steps, in order: the
active row, if there is one; else the open deployments that wait for the device, of which ``rules.decision`` chooses
one; then its artifact; then the row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from chalicelib import clock, limits
from chalicelib.artifacts import service as artifacts
from chalicelib.deployments.rules import decision, polling, selection, windows
from chalicelib.deployments.rules import rollout as rollouts
from chalicelib.deployments.rules.decision import Outcome, Resumption
from chalicelib.deployments.rules.polling import Current
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import beginning, capacity, changes, downgrades, plans, zones
from chalicelib.deployments.service.beginning import Start
from chalicelib.deployments.service.changes import ATTEMPTS, Full, Held, Lost, RateReached, Withdrawn
from chalicelib.deployments.service.devices import configuring
from chalicelib.deployments.service.filter_matches import FilterMatches
from chalicelib.deployments.shapes.devices import ArtifactInstruction, Instructions, Source
from chalicelib.deployments.tables import deployments, heads, pacing
from chalicelib.errors import Conflict, NotFound, TooManyRequests, Unauthorized, Unavailable
from chalicelib.features import Feature
from chalicelib.fleet import control
from chalicelib.fleet import heads as fleet_heads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from chalicelib.artifacts.service import Candidate
    from chalicelib.deployments.rules.decision import Decision
    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.rules.polling import Waiting
    from chalicelib.deployments.rules.rollout import State
    from chalicelib.fleet.head import Head
    from chalicelib.storage.keys import TenantId


def serve(
    tenant: TenantId, head: Head, provides: Mapping[str, str], *, server: str, takes_map: bool = False
) -> Instructions | None:
    """See ``polling.next_update``."""
    device_id = head.device_id
    for _ in range(ATTEMPTS):
        try:
            served = _Poll(tenant, head, provides, server).run()
        except Lost:
            # Another call of this device, or an operator, was faster.
            again = fleet_heads.find(tenant, device_id)
            if again is None:
                raise Unauthorized("unauthorized") from None
            head = again
        else:
            return _with_map(tenant, served) if served is not None and takes_map else served
    raise Unavailable


def _with_map(tenant: TenantId, served: Instructions) -> Instructions:
    plan = plans.get(tenant, served.id)
    if plan is None or not plan.has_map:
        return served
    stored = deployments.find(tenant, served.id)
    found = stored.control_map if stored is not None else None
    return replace(served, artifact=replace(served.artifact, update_control_map=found), update_control_map=found)


def control_map(tenant: TenantId, head: Head, deployment: str) -> dict[str, Any]:
    """The update control map of the deployment that is active on the device.

    Raises:
        NotFound: it is not active on the device, was aborted, or has no map; clients then abort the update.
    """
    current = heads.current_of(head)
    stored = deployments.find(tenant, deployment) if current is not None and current.d == deployment else None
    if stored is None or not stored.is_open or stored.control_map is None:
        raise NotFound("Deployment not found")
    return stored.control_map


class _Poll:
    """One attempt at one poll, and the facts for its decision.

    Raises ``Lost`` if the given head is no longer the stored one.
    """

    def __init__(self, tenant: TenantId, head: Head, provides: Mapping[str, str], server: str) -> None:
        self.tenant = tenant
        self.head = head
        self.device_id = head.device_id
        self.provides = provides
        self.server = server
        self.control = control.get(tenant)
        self.now = clock.now()
        self.matches = FilterMatches(tenant, head)
        self.withdrawn: set[str] = set()
        self.states: dict[str, State] = {}
        """States of rollouts that are newer than the control item, or not in it."""
        self.closed: Plan | None = None
        """The first deployment for which the device waits because no window is open."""

    def run(self) -> Instructions | None:
        current = heads.current_of(self.head)
        if current is not None:
            plan = self._still_open(current)
            if plan is not None:
                return self._resume(plan, current)
            # Aborted meanwhile: the row is final, and the device continues from there.
            changes.commit_head(heads.changed(self.head, current=None, decided=current.decides))
            raise Lost
        possible = plans.possible_for(self.tenant, self.head, self.control.open, self.matches)
        waiting = polling.waiting(self.head.decided, heads.queue_of(self.head), possible)
        while (choice := self._next(waiting)) is not None:
            plan = choice.plan
            try:
                assigned = self._assign(choice)
                capacity.note_begun(self.tenant, plan.id)
                return assigned
            except Withdrawn:
                control.forget(self.tenant)
                self.withdrawn.add(plan.id)
            except Held:
                control.forget(self.tenant)
                self.states[plan.id] = replace(self.state(plan), p=True)
            except Full:
                capacity.note_full(self.tenant, plan.id, plan.capacity(choice.phase))
            except RateReached:
                capacity.note_rate(self.tenant, plan.id, *self._share_of_minute(plan))
        self.matches.keep(self.control.open)
        if self.closed is not None:
            self._ask_to_return(self.closed)
        return None

    def _next(self, waiting: Sequence[Waiting]) -> Decision | None:
        """The deployment that the device gets."""
        self.closed = None
        for each in decision.decide(waiting, self, self.now):
            if each.outcome is Outcome.ASSIGN:
                return each
            if each.outcome is Outcome.WINDOW_CLOSED and self.closed is None:
                self.closed = each.plan
        return None

    def _ask_to_return(self, plan: Plan) -> None:
        """Tell the device when the window of a deployment opens, if the deployment wants that.

        Raises:
            TooManyRequests: it does.
        """
        rollout = plan.rollout
        if rollout is None or not rollout.retry_after:
            return
        opens = windows.next_start(rollout.windows, decision.zone_of(rollout, self), self.now)
        if opens is not None:
            seconds = (opens - self.now + rollouts.delay(plan.id, self.device_id, rollout.jitter)).total_seconds()
            raise TooManyRequests("", retry_after=max(1, min(int(seconds), limits.RETRY_AFTER)))

    # --- facts of the decision (``rules.decision.Facts``)

    def plan(self, waiting: Waiting) -> Plan | None:
        if waiting.deployment in self.withdrawn:
            return None
        if not waiting.on_head:
            return plans.get(self.tenant, waiting.deployment)
        stored = deployments.find(self.tenant, waiting.deployment)
        if stored is not None and stored.is_open:
            self.states[stored.id] = stored.progress.state
            return plans.keep(self.tenant, stored)
        queue = [each for each in heads.queue_of(self.head) if each[1] != waiting.deployment]
        changes.commit_head(heads.changed(self.head, current=None, queue=queue))
        raise Lost

    def may_configure(self, waiting: Waiting) -> bool:
        plan = plans.known(self.tenant, waiting.deployment)
        return waiting.on_head and (plan is None or plan.configures)

    def is_target(self, plan: Plan) -> bool:
        if plan.dynamic:
            return self.matches.take(plan, self._dynamic_ones())
        return plans.includes(self.tenant, plan, self.device_id)

    def is_full(self, plan: Plan, upto: int | None) -> bool:
        return capacity.is_full(self.tenant, plan.id, upto)

    def has_limit_reached(self, plan: Plan) -> bool:
        return capacity.has_limit_reached(self.tenant, plan)

    def state(self, plan: Plan) -> State:
        found = self.states.get(plan.id)
        return found if found is not None else rollouts.decode(self.control.states.get(plan.id))

    def zone(self, attribute: str) -> str | None:
        return zones.of_device(self.tenant, self.head, attribute)

    def is_rate_reached(self, plan: Plan) -> bool:
        return capacity.is_rate_reached(self.tenant, plan.id, *self._share_of_minute(plan))

    def _share_of_minute(self, plan: Plan) -> tuple[int, int]:
        return pacing.share_of_minute(plan, self.device_id), pacing.minute_of(self.now)

    def _dynamic_ones(self) -> Iterator[Plan]:
        known = max(self.head.decided, self.matches.upto)
        for deployment, sequence in self.control.open.items():
            plan = plans.get(self.tenant, deployment) if sequence > known else None
            if plan is not None and plan.dynamic:
                yield plan

    # --- the device's active row

    def _still_open(self, current: Current) -> Plan | None:
        if not current.h and current.d in self.control.open:
            return plans.get(self.tenant, current.d)
        # If this read misses an abort, the device gets one more link, and its next report is refused.
        stored = deployments.find(self.tenant, current.d, recent=True)
        return plans.keep(self.tenant, stored) if stored is not None and stored.is_open else None

    def _resume(self, plan: Plan, current: Current) -> Instructions | None:
        request = polling.request_hash(self.provides)
        match decision.resume(current, request):
            case Resumption.CONFLICT:
                self._end(plan, current, Status.FAILURE)
                raise Conflict("Device provided conflicting request data")
            case Resumption.CHOOSE:
                return self._retry(plan, current, request)
            case Resumption.SAME:
                for artifact in self._candidates(plan):
                    if artifact.id == current.a:
                        return self._instructions(plan, artifact)
        raise Unavailable

    def _retry(self, plan: Plan, current: Current, request: str) -> Instructions | None:
        """The next attempt after a failure; the device may provide different things than before."""
        artifact = self._choose(plan)
        if artifact is None:
            self._end(plan, current, Status.NOARTIFACT)
            return None
        again = replace(current, a=artifact.id, r=request)
        changes.commit_head(heads.changed(self.head, current=again))
        return self._instructions(plan, artifact)

    def _end(self, plan: Plan, current: Current, status: Status) -> None:
        try:
            beginning.end(self.tenant, plan, self.head, Status(current.s), status, self.now)
        except Withdrawn:
            control.forget(self.tenant)
            raise Lost from None

    # --- a new row

    def _assign(self, choice: Decision) -> Instructions | None:
        plan = choice.plan
        artifact = self._choose(plan)
        status = decision.first_status(plan, self.provides, has_artifact=artifact is not None)
        downgrade = None
        if artifact is not None and not status.final:
            downgrade = downgrades.find(self.tenant, self.control.trust, plan, artifact.id, self.provides)
            if downgrade is not None and self.control.trust.downgrades == "refuse":
                status = Status.NOARTIFACT
        device_type = self.provides["device_type"]
        if artifact is None or status.final:
            shown = artifact.id if artifact is not None else None
            start = Start(status, choice.phase, artifact=shown, device_type=device_type, downgrade=downgrade)
            beginning.begin(self.tenant, plan, self.head, start, self.now)
            return None
        current = Current(
            d=plan.id,
            q=plan.sequence,
            s=status,
            a=artifact.id,
            r=polling.request_hash(self.provides),
            h=plan.on_heads,
            c=plan.configures,
            p=choice.phase if plan.counts_results else None,
        )
        stored = None if plan.configures else artifact.id
        start = Start(status, choice.phase, current, stored, artifact.size, device_type, downgrade)
        beginning.begin(self.tenant, plan, self.head, start, self.now)
        return self._instructions(plan, artifact)

    def _candidates(self, plan: Plan) -> tuple[Candidate, ...]:
        if plan.configures:
            return (configuring.candidate(plan, self.device_id, self.provides["device_type"]),)
        return artifacts.candidates(self.tenant, plan.artifact_name)

    def _choose(self, plan: Plan) -> Candidate | None:
        by_dependencies = self.control.includes(Feature.DEPENDENCIES)
        return selection.choose(self._candidates(plan), self.provides, by_dependencies=by_dependencies)

    def _instructions(self, plan: Plan, artifact: Candidate) -> Instructions:
        if plan.configures:
            link = configuring.link(self.tenant, self.server, plan, self.device_id, self.provides["device_type"])
        else:
            link = artifacts.device_link(self.tenant, artifact)
        return Instructions(
            id=plan.id,
            artifact=ArtifactInstruction(
                id=artifact.id,
                artifact_name=plan.artifact_name,
                source=Source(uri=link.uri, expire=clock.rfc3339(link.expire)),
                device_types_compatible=list(artifact.device_types),
            ),
        )

"""``deployments/next``: which update a device gets (``docs/behaviour.md#polling``).

Devices make this call far more often than any other, so it decides what a fleet costs: an idle poll is one read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from chalicelib import clock
from chalicelib.artifacts import service as artifacts
from chalicelib.deployments import tables
from chalicelib.deployments.rules import phases, polling, selection
from chalicelib.deployments.rules.polling import Current
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import configuring, heads, plans, room, rows
from chalicelib.deployments.service.changes import ATTEMPTS, Full, Lost, Withdrawn
from chalicelib.deployments.service.rows import Start
from chalicelib.deployments.service.verdicts import Verdicts
from chalicelib.deployments.shapes import ArtifactInstruction, Instructions, Source
from chalicelib.errors import Conflict, NotFound, Unauthorized, Unavailable
from chalicelib.features import Feature
from chalicelib.fleet import control
from chalicelib.fleet import heads as fleet_heads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from chalicelib.artifacts.service import Candidate
    from chalicelib.deployments.rules.polling import Waiting
    from chalicelib.deployments.service.plans import Plan
    from chalicelib.fleet.tables import DeviceHead
    from chalicelib.storage.keys import TenantId


def next_update(
    tenant: TenantId, head: DeviceHead, provides: Mapping[str, str], *, server: str, takes_map: bool = False
) -> Instructions | None:
    """The update for a device; None means no update (204).

    Args:
        tenant: the device's tenant.
        head: the device's head, as this call read it.
        provides: what the device provides: ``device_type``, ``artifact_name`` and others.
        server: the server's address for devices, ``https://host``.
        takes_map: whether the device understands update control maps.

    Raises:
        Conflict: polls of one active row disagree about the device; the row has become a failure.
    """
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
    item = tables.find_deployment(tenant, served.id)
    found = item.control_map if item is not None else None
    return replace(served, artifact=replace(served.artifact, update_control_map=found), update_control_map=found)


def control_map(tenant: TenantId, head: DeviceHead, deployment: str) -> dict[str, Any]:
    """The update control map of the deployment that is active on the device.

    Raises:
        NotFound: it is not active on the device, was aborted, or has no map; clients then abort the update.
    """
    current = heads.current_of(head)
    item = tables.find_deployment(tenant, deployment) if current is not None and current.d == deployment else None
    if item is None or not item.is_open or item.control_map is None:
        raise NotFound("Deployment not found")
    found: dict[str, Any] = item.control_map
    return found


class _Poll:
    """One attempt at one poll. Raises ``Lost`` if the given head is no longer the stored one."""

    def __init__(self, tenant: TenantId, head: DeviceHead, provides: Mapping[str, str], server: str) -> None:
        self.tenant = tenant
        self.head = head
        self.device_id = head.device_id
        self.provides = provides
        self.server = server
        self.control = control.get(tenant)
        self.now = clock.now()
        self.verdicts = Verdicts(tenant, head)

    def run(self) -> Instructions | None:
        current = heads.current_of(self.head)
        if current is not None:
            plan = self._still_open(current)
            if plan is not None:
                return self._serve(plan, current)
            # Aborted meanwhile: the row is final, and the device continues from there.
            heads.commit(heads.write(self.head, current=None, decided=current.decides))
            raise Lost
        waiting = polling.waiting(self.head.decided, heads.queue_of(self.head), self.control.open)
        plans.load(self.tenant, (each.deployment for each in waiting if not each.on_head))
        is_held = False
        for each in waiting:
            if is_held and not self._may_overtake(each):
                continue
            plan = self._plan(each)
            if plan is None or (is_held and not plan.configures) or not self._is_for_device(plan):
                continue
            opened = phases.opened(plan.phases, self.now)
            phase = opened - 1 if plan.phases else None
            bound = None if phase == -1 else plan.room(phase)
            if phase == -1 or room.is_full(self.tenant, plan.id, bound):
                # Its phase will come. Until then it gets no newer software, because it could then never get this one.
                is_held = True
                continue
            try:
                return self._assign(plan, phase)
            except Withdrawn:
                control.forget(self.tenant)
            except Full:
                room.note_full(self.tenant, plan.id, bound)
                is_held = bound != plan.most
        self.verdicts.keep(self.control.open)
        return None

    def _may_overtake(self, waiting: Waiting) -> bool:
        """Whether it may be a configuration, which does not wait behind a phase. Finding out must not cost a read."""
        plan = plans.known(self.tenant, waiting.deployment)
        return waiting.on_head and (plan is None or plan.configures)

    def _dynamic_ones(self) -> Iterator[Plan]:
        for sequence, deployment in self.control.open:
            plan = plans.get(self.tenant, deployment) if sequence > self.head.decided else None
            if plan is not None and plan.terms is not None:
                yield plan

    def _is_for_device(self, plan: Plan) -> bool:
        if plan.terms is None:
            return self.device_id in plan.targets
        return not room.is_full(self.tenant, plan.id, plan.most) and self.verdicts.take(plan, self._dynamic_ones())

    def _still_open(self, current: Current) -> Plan | None:
        if not current.h and any(deployment == current.d for _, deployment in self.control.open):
            return plans.get(self.tenant, current.d)
        # If this read misses an abort, the device gets one more link, and its next report is refused.
        item = tables.find_deployment(self.tenant, current.d, recent=True)
        return plans.of(self.tenant, item) if item is not None and item.is_open else None

    def _plan(self, waiting: Waiting) -> Plan | None:
        if not waiting.on_head:
            return plans.get(self.tenant, waiting.deployment)
        item = tables.find_deployment(self.tenant, waiting.deployment)
        if item is not None and item.is_open:
            return plans.of(self.tenant, item)
        queue = [each for each in heads.queue_of(self.head) if each[1] != waiting.deployment]
        heads.commit(heads.write(self.head, current=None, queue=queue))
        raise Lost

    def _candidates(self, plan: Plan) -> tuple[Candidate, ...]:
        if plan.configures:
            return (configuring.candidate(plan, self.device_id, self.provides["device_type"]),)
        return artifacts.candidates(self.tenant, plan.artifact_name)

    def _choose(self, plan: Plan) -> Candidate | None:
        by_dependencies = self.control.includes(Feature.DEPENDENCIES)
        return selection.choose(self._candidates(plan), self.provides, by_dependencies=by_dependencies)

    def _assign(self, plan: Plan, phase: int | None) -> Instructions | None:
        artifact = self._choose(plan)
        status = self._first_status(plan, artifact)
        said_type = self.provides["device_type"]
        if artifact is None or status.final:
            start = Start(status, phase, artifact=artifact.id if artifact is not None else None, device_type=said_type)
            rows.begin(self.tenant, plan, self.head, start, self.now)
            return None
        current = Current(
            d=plan.id,
            q=plan.sequence,
            s=status,
            a=artifact.id,
            r=polling.request_hash(self.provides),
            h=plan.on_heads,
            c=plan.configures,
        )
        stored = None if plan.configures else artifact.id
        start = Start(status, phase, current, stored, artifact.size, said_type)
        rows.begin(self.tenant, plan, self.head, start, self.now)
        return self._instructions(plan, artifact)

    def _first_status(self, plan: Plan, artifact: Candidate | None) -> Status:
        if artifact is None:
            return Status.NOARTIFACT
        if not plan.force and not plan.configures and plan.artifact_name == self.provides.get("artifact_name"):
            return Status.ALREADY_INSTALLED
        return Status.PENDING

    def _serve(self, plan: Plan, current: Current) -> Instructions | None:
        wanted = polling.request_hash(self.provides)
        if current.r is not None and current.r != wanted:
            self._end(plan, current, Status.FAILURE)
            raise Conflict("Device provided conflicting request data")
        if current.r is None:
            return self._retry(plan, current, wanted)
        for artifact in self._candidates(plan):
            if artifact.id == current.a:
                return self._instructions(plan, artifact)
        raise Unavailable

    def _retry(self, plan: Plan, current: Current, wanted: str) -> Instructions | None:
        """The next attempt after a failure; the device may provide different things than before."""
        artifact = self._choose(plan)
        if artifact is None:
            self._end(plan, current, Status.NOARTIFACT)
            return None
        again = replace(current, a=artifact.id, r=wanted)
        heads.commit(heads.write(self.head, current=again))
        return self._instructions(plan, artifact)

    def _end(self, plan: Plan, current: Current, status: Status) -> None:
        try:
            rows.end(self.tenant, plan, self.head, Status(current.s), status, self.now)
        except Withdrawn:
            control.forget(self.tenant)
            raise Lost from None

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
